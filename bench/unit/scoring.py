"""Asks the scorer process. Started at the first question, ended with the unit."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from bench.registry import ROOT


class Scorer:
    """`seconds` is all the time that was spent waiting for scores. Its process runs in the folder
    and the environment that there were before the method: what that changes is its own affair."""

    def __init__(self, store: Path, classes: Sequence[str], scratch: Path) -> None:
        self._command = [
            sys.executable,
            "-m",
            "bench.unit.scorer",
            str(store.resolve()),
            json.dumps(list(classes)),
        ]
        self._environment = dict(os.environ)
        self._file = scratch / "prediction.npy"
        self._process: subprocess.Popen[str] | None = None
        self.seconds = 0.0

    def __enter__(self) -> Scorer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # it died, and whoever asked was told
                self._process.stdin.close()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def score(self, case: str, prediction: np.ndarray, *, boundary: bool) -> dict[str, Any]:
        """class -> scores as `bench.score` gives them."""
        began = time.perf_counter()
        if self._process is None:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env=self._environment,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._hand_over(case, prediction)
        question = {"case": case, "prediction": str(self._file), "boundary": boundary}
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        self.seconds += time.perf_counter() - began
        if not line:
            raise RuntimeError(f"the scorer ended with code {self._process.wait()}; see the log")
        reply = json.loads(line)
        if "error" in reply:
            raise RuntimeError(f"scoring case {case}: {reply['error']}")
        scores: dict[str, Any] = reply["scores"]
        return scores

    def _hand_over(self, case: str, prediction: np.ndarray) -> None:
        try:
            np.save(self._file, prediction)
        except OSError as error:  # numpy says how many bytes it could write, and not why
            raise RuntimeError(
                f"no room for the prediction of {case} ({error}); make room in the folder of "
                "temporary files, or set TMPDIR"
            ) from error
