"""Every method from end to end on a GPU, from the command line: prepare, pre-training, adaptation,
probe, prediction, scores, record, and a new image from the state that was kept.

The budget is the GPU's default one, 24 GB of memory included, with a second for 15 minutes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.record.schema import Record
from bench.registry import discover
from tests.cuda.conftest import Gpus, found

METHODS = sorted(discover().methods)
NO_GPU = ("control_atlas", "control_empty", "control_nearest")
"""Methods without anything on the device."""
BUDGET = ("run", "budget.seconds=1", "budget.probes=1", "keep=state")
ALONE = {
    "hssl": ("method.image_size=32", "method.pretrain_size=32", "method.width=4"),
    "nnunet": ("method.workers=1",),
}
"""Methods that get other options for their size, or that have processes of their own."""
KINDS = [
    pytest.param("8.0", id="bf16"),
    pytest.param("7.5", id="fp16", marks=pytest.mark.thorough),
]


@pytest.fixture(scope="module", params=KINDS)
def swept(
    request: pytest.FixtureRequest, gpus: Gpus, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """The folder of results, and the GPU's capability. One process for most methods: each of its
    own would import torch for longer than it adapts."""
    results = tmp_path_factory.mktemp("results")
    together = ",".join(method for method in METHODS if method not in ALONE)
    sweeps = [(f"method={together}", "executor=inline")]
    sweeps += [(f"method={method}", *words) for method, words in ALONE.items()]
    for words in sweeps:
        done = gpus(*BUDGET, *words, f"results={results}", capability=request.param)
        assert done.out.startswith("device cuda · "), done.out + done.err
    return results, request.param


@pytest.mark.parametrize("method", METHODS)
def test_default_budget(swept: tuple[Path, str], method: str) -> None:
    record = found(swept[0])[method]
    assert record.status == "done", record.reason
    assert record.request.budget.memory_gb == 24
    assert (record.machine.device, record.machine.device_memory_gb) == ("Pretend GPU 0", 40)
    assert record.cases
    check_peaks(record)


def check_peaks(record: Record) -> None:
    """Of this unit alone, although others ran in the same process before it."""
    assert record.resources is not None
    phases = (
        record.adaptation.peak_device_bytes or 0,
        record.resources.predict_peak_device_bytes or 0,
    )
    assert record.resources.peak_device_bytes == max(phases)
    assert (max(phases) > 0) == (record.request.method not in NO_GPU)
    if record.pretraining is not None:
        assert (record.pretraining.peak_device_bytes or 0) > 0


QUICK = ("samora",)


@pytest.mark.parametrize(
    "method",
    [m if m in QUICK else pytest.param(m, marks=pytest.mark.thorough) for m in METHODS],
)
def test_predict_record(
    swept: tuple[Path, str], gpus: Gpus, volumes: Path, tmp_path: Path, method: str
) -> None:
    results, capability = swept
    key, out = found(results)[method].key, tmp_path / "label.nii.gz"
    image = volumes / "imagesTr" / "p0.nii.gz"
    words = ("predict", f"record={key}", str(image), f"out={out}", f"results={results}")
    done = gpus(*words, capability=capability)
    if method == "sam_prompt":
        assert done.code == 2
        assert "is prompted from the reference label, which a new image does not have" in done.err
        return
    assert done.code == 0, done.out + done.err
    assert out.is_file()
