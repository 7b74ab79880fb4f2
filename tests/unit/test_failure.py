"""Reasons that a table can show: one line, and the kind of failure first."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
import torch

from bench.unit.failure import reason_of, reason_of_exit


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("loss is not finite"), "ValueError: loss is not finite"),
        (KeyError("share"), "KeyError: 'share'"),
        (RuntimeError(), "RuntimeError"),
        (RuntimeError("a\n  b\n\nc"), "RuntimeError: a b c"),
        (MemoryError(), "out of host memory: MemoryError"),
        (MemoryError("Unable to allocate 9 TiB"), "out of host memory: Unable to allocate 9 TiB"),
        (OSError("Cannot allocate memory"), "out of host memory: Cannot allocate memory"),
        (
            RuntimeError("CUDA out of memory. Tried"),
            "out of device memory: CUDA out of memory. Tried",
        ),
        (torch.OutOfMemoryError("CUDA out"), "out of device memory: CUDA out"),
        (SystemExit(3), "the method called sys.exit(3)"),
        (SystemExit("bye"), "the method called sys.exit('bye')"),
        (KeyboardInterrupt(), "the method raised KeyboardInterrupt"),
    ],
)
def test_reasons(error: BaseException, reason: str) -> None:
    assert reason_of(error) == reason


def test_a_long_message_is_cut() -> None:
    assert len(reason_of(ValueError("x" * 5000))) == len("ValueError: ") + 300


def test_what_torch_really_says_without_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert reason_of(caught.value).startswith("out of host memory: ")


def test_what_numpy_really_says_without_memory() -> None:
    import numpy as np

    with pytest.raises(MemoryError) as caught:
        np.empty(2**60, dtype=np.uint8)
    assert reason_of(caught.value).startswith("out of host memory: Unable to allocate 1.00 EiB")


def test_exit_codes() -> None:
    assert reason_of_exit(0) == "its process ended with code 0 and left no record"
    assert reason_of_exit(3) == "its process ended with code 3 and left no record"
    assert reason_of_exit(-signal.SIGSEGV) == "its process was ended by SIGSEGV"
    assert reason_of_exit(-signal.SIGKILL) == (
        "its process was ended by SIGKILL; often the machine ran out of memory"
    )
    assert reason_of_exit(-200) == "its process was ended by signal 200"


def test_a_process_that_was_really_killed() -> None:
    script = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    code = subprocess.run([sys.executable, "-c", script], check=False).returncode
    assert "SIGKILL" in reason_of_exit(code)
