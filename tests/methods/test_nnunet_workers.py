"""Processes that augment: the same batches under a seed, and gone with the one that asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from methods.nnunet.workers import working
from tests.methods.nnunet_tiny import nnunet, pulled, support


def losses(scratch: Path, *, seed: int, workers: int = 2) -> list[float | None]:
    torch.manual_seed(seed)
    np.random.seed(seed)
    scratch.mkdir()
    work = pulled(nnunet(workers=workers), support(2), scratch, steps=6)
    return [progress.loss for progress in work if progress.steps]


def test_a_seed_fixes_the_batches_and_the_workers_end(tmp_path: Path) -> None:
    before = set(psutil.Process().children())
    first = losses(tmp_path / "a", seed=0)
    assert set(psutil.Process().children()) == before
    assert losses(tmp_path / "b", seed=0) == first
    assert losses(tmp_path / "c", seed=1) != first


RUN = """
import sys
from pathlib import Path
import psutil
from methods.nnunet.workers import working
from tests.methods.nnunet_tiny import nnunet, pulled, support

work = pulled(nnunet(workers=2), support(1), Path(sys.argv[1]), steps=1000)
for progress in work:
    if progress.steps:
        break
print(*(child.pid for child in psutil.Process().children()), flush=True)
for progress in work:
    pass
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_no_worker_outlives_a_killed_unit(tmp_path: Path, project_root: Path) -> None:
    """Killed alone, without its group, as by a machine that runs out of memory."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(tmp_path)],
        cwd=project_root,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        workers = [int(pid) for pid in process.stdout.readline().split()]
        assert len(workers) == 2
        assert alive(workers) == workers
        process.send_signal(signal.SIGKILL)
        process.wait()
        patience = time.monotonic() + 10
        while alive(workers) and time.monotonic() < patience:
            time.sleep(0.1)
        assert alive(workers) == []
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def alive(pids: Sequence[int]) -> list[int]:
    """Those that still run; one that nobody has waited for is dead."""
    found = []
    for pid in pids:
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
        except psutil.NoSuchProcess:
            continue
    return found


class Endless:
    """A loader as nnU-Net's is to a worker."""

    def set_thread_id(self, number: int) -> None: ...

    def __next__(self) -> dict[str, object]:
        return {"data": torch.zeros(2), "target": [torch.ones(1)], "keys": ["a"]}


def test_a_batch_that_cannot_be_pinned_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a wait for ever: the augmenter's own pinning thread would die in silence."""

    def refuse(tensor: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no page-locked memory is left")

    monkeypatch.setattr(torch.Tensor, "pin_memory", refuse)
    batches = working(Endless(), workers=1, pinned=True)
    with pytest.raises(RuntimeError) as error:
        next(batches)
    batches._finish()
    assert str(error.value) == (
        "a training batch could not be pinned in host memory: no page-locked memory is left; "
        "method.workers=0 does without"
    )


def test_pinned_batches_come_in_order_and_their_workers_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor + 1)
    before = set(psutil.Process().children())
    batches = working(Endless(), workers=2, pinned=True)
    for _ in range(3):
        batch = next(batches)
        assert batch["data"].tolist() == [1, 1]
        assert batch["target"][0].tolist() == [2]
        assert batch["keys"] == ["a"]
    batches._finish()
    assert set(psutil.Process().children()) == before
