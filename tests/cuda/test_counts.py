"""What a training step costs beside its kernels: waits of the host for the device, and copies."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.cuda.conftest import Gpus
from tests.pretend_cuda.counting import read_counts

WAITS = ("sync", "synchronize", "device to host")
FEW, MANY = 3, 8


def counted(gpus: Gpus, folder: Path, *, steps: int) -> Counter[str]:
    """Of all processes of a run of so many steps."""
    counts = folder / f"counts-{steps}"
    done = gpus("run", "method=unet", "method.width=8", "method.levels=3", f"budget.steps={steps}",
                "budget.seconds=null", "budget.probes=0", f"results={folder / str(steps)}",
                counts=counts)  # fmt: skip
    assert done.code == 0, done.out + done.err
    total: Counter[str] = Counter()
    for line in read_counts(counts, folder / str(steps)):
        total.update(line["counts"])
    return total


def test_a_step_waits_for_its_clock_and_its_loss_alone(gpus: Gpus, tmp_path: Path) -> None:
    """The clock waits before and after a step, and the loss is read. A step's chosen slices and
    the chance of its augmentation are sent."""
    few, many = (counted(gpus, tmp_path, steps=steps) for steps in (FEW, MANY))
    steps = MANY - FEW
    waits = sum(many[kind] - few[kind] for kind in WAITS) / steps
    sent = (many["host to device"] - few["host to device"]) / steps
    assert 2 <= waits <= 3, (few, many)
    assert sent <= 12, (few, many)
