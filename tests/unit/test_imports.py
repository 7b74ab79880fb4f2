"""What the supervisor of a unit imports: it must be up while its worker imports torch, and a GPU's
memory is the worker's alone."""

from __future__ import annotations

import subprocess
import sys


def test_the_supervisor_needs_no_torch() -> None:
    code = "import sys, bench.unit.__main__; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_launcher_needs_the_standard_library_alone() -> None:
    code = (
        "import sys; sys.path.insert(0, 'bench/worker'); import launch, landlock, namespaces\n"
        "print([n for n in ('numpy', 'pydantic', 'bench') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
