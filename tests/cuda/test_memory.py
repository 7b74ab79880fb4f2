"""Too little memory on the device: halved and tried again, or one line that says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.record.schema import Record
from tests.cuda.conftest import Gpus, found

HALVED = r"\d+{of} at once are too many \(out of device memory: CUDA out of"


def run(gpus: Gpus, results: Path, *words: str, megabytes: float = 24000) -> tuple[Record, str]:
    """Its record and its log."""
    own = (f"results={results}", f"data.cache={results / 'cache'}")
    cap = f"budget.memory_gb={megabytes / 1024}"
    done = gpus("run", "budget.seconds=1", "budget.probes=0", cap, *own, *words)
    (record,) = found(results).values()
    assert done.code == (0 if record.status == "done" else 1), done.out + done.err
    log = results / "logs" / f"{record.key}.log"
    return record, log.read_text() if log.is_file() else ""


def peaks(record: Record) -> tuple[int, int]:
    """Bytes of adaptation and of prediction."""
    assert record.resources is not None, record.reason
    return (
        record.adaptation.peak_device_bytes or 0,
        record.resources.predict_peak_device_bytes or 0,
    )


# A network whose weights are small beside what passes through it.
SMALL = ("method.width=8", "method.levels=3", "method.size=128")
# Words of a method, and the phase that needs most there.
CASES = {
    "training": ("method=unet", *SMALL, "shots=3"),
    "prediction": ("method=unet", *SMALL, "shots=1s"),
    "encoding": ("method=linear_probe", "shots=1s"),
}


@pytest.mark.parametrize("phase", CASES)
def test_what_does_not_fit_is_halved(
    gpus: Gpus, deep_volumes: Path, tmp_path: Path, phase: str
) -> None:
    words = CASES[phase]
    if phase != "encoding":  # where what is encoded needs more than what follows
        words = (*words, f"dataset.root={deep_volumes}")
    whole, _ = run(gpus, tmp_path / "whole", *words)
    need = max(peaks(whole))
    record, log = run(gpus, tmp_path / "less", *words, megabytes=0.75 * need / 2**20)
    assert record.status == "done", record.reason
    assert re.search(HALVED.format(of=" samples" if phase == "training" else ""), log), log
    assert max(peaks(record)) <= 0.75 * need


def test_retrieval_goes_by_the_memory_that_is_free(gpus: Gpus, tmp_path: Path) -> None:
    """Its passes are as large as half of what the cap leaves."""
    words = ("method=retrieval", "shots=3")
    whole, _ = run(gpus, tmp_path / "whole", *words)
    need = max(peaks(whole))
    record, _ = run(gpus, tmp_path / "less", *words, megabytes=0.75 * need / 2**20)
    assert record.status == "done", record.reason
    assert 0 < max(peaks(record)) <= 0.75 * need


def test_what_never_fits_is_one_line(gpus: Gpus, tmp_path: Path) -> None:
    record, _ = run(gpus, tmp_path, "method=unet", megabytes=1)
    assert record.status == "failed"
    assert record.reason is not None
    assert record.reason.startswith("out of device memory: CUDA out of memory. Tried to allocate")
    assert "\n" not in record.reason
