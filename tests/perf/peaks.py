"""The peak memory of some code in a fresh process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# Linux's own count of this program: ru_maxrss would begin at the peak of the one that started it.
TOLD = """
from pathlib import Path
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) / 1024)
"""


def peak(script: str, *words: object) -> float:
    """In MiB. The script finds the words in sys.argv."""
    done = subprocess.run(
        [sys.executable, "-c", script + TOLD, *map(str, words)],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)
