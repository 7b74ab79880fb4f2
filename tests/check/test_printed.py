"""What a method prints does not drown its verdicts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

SCRIPT = """
import os, subprocess, sys
from pathlib import Path
from bench.check.printed import printing_into
print("before")
try:
    with printing_into(Path(sys.argv[1])) as screen:
        print("by a method")
        os.write(2, b"by a library\\n")
        subprocess.run(["echo", "by a child"])
        print("for the user", file=screen)
        raise KeyError
except KeyError:
    print("after")
    print("wrong", file=sys.stderr)
"""


def test_only_what_is_for_the_user_reaches_the_screen(tmp_path: Path) -> None:
    file = tmp_path / "printed.log"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("before\nfor the user\nafter\n", "wrong\n")
    assert sorted(file.read_text().splitlines()) == ["by a child", "by a library", "by a method"]
