"""The asking side of `tests.faults.reader`: one process that reads thousands of broken files."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.errors import LONGEST
from tests.conftest import ROOT

PATIENCE = 60.0
"""Seconds on a busy machine; what is read here takes some thousandths of one."""
GROWTH = 192
"""MiB of memory that all files together may cost; a block that is unpacked is one of them."""


class Reader:
    """Every question ends in "read" or in "refused" with one line; all else is a failure."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts = {"read": 0, "refused": 0}
        self._errors = (folder / "stderr.txt").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.reader"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._base: int | None = None

    def ask(self, kind: str, name: str, content: bytes) -> dict[str, Any]:
        """`content` as a file of this name."""
        path = self.folder / name
        path.write_bytes(content)
        return self.ask_file(kind, path)

    def ask_file(self, kind: str, path: Path) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"kind": kind, "path": str(path)}) + "\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        assert ready, f"{kind}: no answer within {PATIENCE:g} s: it hangs"
        line = self._process.stdout.readline()
        assert line, f"{kind}: the reader crashed with code {self._process.wait()}: {self._heard()}"
        found: dict[str, Any] = json.loads(line)
        if self._base is None:
            self._base = found["peak_mb"]
        grown = found["peak_mb"] - self._base
        assert grown < GROWTH, f"{kind}: took {grown} MiB"
        assert found["end"] in self.counts, found["said"]
        self.counts[found["end"]] += 1
        if found["end"] == "refused":
            said = found["said"]
            assert said.isprintable(), repr(said)
            assert len(said) <= LONGEST
        return found

    def forget_memory(self) -> None:
        """What was taken so far is not the next file's."""
        self._base = None

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=PATIENCE)
        self._errors.close()

    def _heard(self) -> str:
        return (self.folder / "stderr.txt").read_text(errors="replace")[-2000:]
