"""A unit that is stopped on a GPU goes on from where it was: its random state, its optimiser's and
its peak of memory included. What was embedded once is found again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cuda.conftest import Gpus, found

RESUMES = [
    "samora",  # in its pre-training or after it
    *(pytest.param(m, marks=pytest.mark.thorough) for m in ("unet", "fewshot_decoder", "samed")),
]


def has_begun(results: Path) -> Callable[[], bool]:
    """Its trail is there, and so is some of its time."""
    seen: list[int] = []

    def look() -> bool:
        seen.extend(1 for _ in results.glob(".units/*/trail.json"))
        return len(seen) > 120  # six seconds: past its imports, within its minute

    return look


@pytest.mark.parametrize("method", RESUMES)
def test_stopped_and_taken_up(gpus: Gpus, tmp_path: Path, method: str) -> None:
    words = ("run", f"method={method}", "budget.steps=60", "budget.seconds=null",
             "budget.probes=2", f"results={tmp_path}")  # fmt: skip
    assert gpus.stopped(*words, when=has_begun(tmp_path)) == 130
    assert not found(tmp_path)
    done = gpus(*words)
    assert done.code == 0, done.out + done.err
    record = found(tmp_path)[method]
    (start,) = record.interruptions
    assert start.stopped is not None
    assert start.resumed or (record.pretraining is not None)
    charged = 0 if record.pretraining is None else record.pretraining.steps
    assert record.adaptation.steps + charged == 60
    assert record.resources is not None
    assert (record.resources.peak_device_bytes or 0) > 0


def test_embeddings_are_found_again(gpus: Gpus, tmp_path: Path) -> None:
    """Under the GPU's name: a CPU's are others. What they cost is charged all the same."""
    words = ("run", "method=linear_probe", "budget.seconds=2", "budget.probes=0")
    for name in ("first", "second"):
        done = gpus(*words, f"results={tmp_path / name}")
        assert done.code == 0, done.out + done.err
    first, second = (found(tmp_path / name)["linear_probe"] for name in ("first", "second"))
    assert first.adaptation.embeddings is not None
    assert second.adaptation.embeddings is not None
    assert second.adaptation.embeddings.misses == 0
    assert second.adaptation.embeddings.hits >= first.adaptation.embeddings.misses > 0
    assert second.adaptation.embeddings.owed_seconds > 0
