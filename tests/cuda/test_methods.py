"""Every method from end to end on a GPU, from the command line: prepare, pre-training, adaptation,
probe, prediction, scores, record, and a new image from the state that was kept.

The budget is the GPU's default one, 24 GB of memory included, with seconds for minutes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.record.schema import Record
from bench.registry import discover
from tests.cuda.conftest import Gpus, found

METHODS = sorted(discover().methods)
BUDGET = ("budget.seconds=1", "budget.probes=1")
SMALL = {
    "nnunet": ("method.workers=0",),
}
"""What makes a method quicker here and changes no line that it runs on a GPU."""


def check(record: Record, *, device: str) -> None:
    assert record.status == "done", record.reason
    assert record.request.budget.memory_gb == 24
    assert record.machine.device == device
    assert record.machine.device_memory_gb == 40
    assert record.cases
    assert record.throughput is not None
    uses_it = record.request.method not in ("control_atlas", "control_empty", "control_nearest")
    assert record.resources is not None
    assert (record.resources.peak_device_bytes or 0) >= (
        record.resources.predict_peak_device_bytes or 0
    )
    assert ((record.resources.predict_peak_device_bytes or 0) > 0) == uses_it
    if record.pretraining is not None:
        assert (record.pretraining.peak_device_bytes or 0) > 0


@pytest.mark.parametrize("method", METHODS)
def test_default_budget(gpus: Gpus, tmp_path: Path, volumes: Path, method: str) -> None:
    done = gpus("run", f"method={method}", *BUDGET, *SMALL.get(method, ()), "keep=state",
                f"results={tmp_path}")  # fmt: skip
    assert done.code == 0, done.out + done.err
    assert done.out.startswith("device cuda · ")
    record = found(tmp_path)[method]
    check(record, device="Pretend GPU 0")
    out = tmp_path / "label.nii.gz"
    image = volumes / "imagesTr" / "p0.nii.gz"
    done = gpus("predict", f"record={record.key}", str(image), f"out={out}", f"results={tmp_path}")
    assert done.code == 0, done.out + done.err
    assert out.is_file()


@pytest.mark.thorough
@pytest.mark.parametrize("method", METHODS)
def test_without_bf16(gpus: Gpus, tmp_path: Path, method: str) -> None:
    """Capability 7.5: fp16 with a scaled loss, and no number that fp16 lacks."""
    done = gpus("run", f"method={method}", *BUDGET, *SMALL.get(method, ()), f"results={tmp_path}",
                capability="7.5")  # fmt: skip
    assert done.code == 0, done.out + done.err
    check(found(tmp_path)[method], device="Pretend GPU 0")
