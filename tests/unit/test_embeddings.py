"""The supervisor's side of the embedding cache: who may find what, and what it costs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.models.embeddings.entry import Entry, packed
from bench.models.embeddings.ledger import Ledger
from bench.models.embeddings.storage import FolderStorage
from bench.unit.embeddings import EmbeddingKeeper, scope_of
from bench.unit.inline_worker import InlineWorker, start_inline
from bench.worker.storage import RemoteStorage
from tests.unit.test_handover import make_unit

SHELF, NAMES = "0" * 16, ["1" * 32, "2" * 32]


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[InlineWorker]:
    with start_inline(tmp_path) as found:
        yield found


@pytest.fixture
def keeper(worker: InlineWorker, tmp_path: Path) -> EmbeddingKeeper:
    return EmbeddingKeeper(FolderStorage(tmp_path / "kept", scope="a"), worker)


def entries(value: float = 1.0, seconds: float = 1e6) -> dict[str, Entry]:
    """`seconds`: what the worker says that they cost, which nobody believes."""
    return {name: Entry({"embedding": np.full(3, value, np.float16)}, seconds) for name in NAMES}


def test_what_is_kept_is_found_and_charged_by_what_was_measured(
    keeper: EmbeddingKeeper, worker: InlineWorker
) -> None:
    remote = RemoteStorage(worker.session.ask, worker.folder)
    assert remote.find(SHELF, NAMES) == {}
    kept = remote.keep(SHELF, entries())
    cold = keeper.ledger.account
    assert (cold.hits, cold.misses, cold.owed_seconds) == (0, 2, 0.0)
    assert 0 < cold.computed_seconds < 60
    keeper.ledger = Ledger()
    found = remote.find(SHELF, [*NAMES, "3" * 32])
    assert list(found) == NAMES
    for entry in (*kept.values(), *found.values()):
        assert (entry.arrays["embedding"] == 1).all()
        with pytest.raises(ValueError, match="read-only"):
            entry.arrays["embedding"][0] = 2
    warm = keeper.ledger.account
    assert (warm.hits, warm.misses) == (2, 0)
    assert warm.owed_seconds == pytest.approx(cold.computed_seconds)
    remote.find(SHELF, NAMES)
    assert keeper.ledger.account == warm, "paid for once a phase"


def test_a_damaged_one_is_not_found(keeper: EmbeddingKeeper, worker: InlineWorker) -> None:
    remote = RemoteStorage(worker.session.ask, worker.folder)
    remote.keep(SHELF, entries())
    path = keeper.storage.path(SHELF, NAMES[0])
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert list(remote.find(SHELF, NAMES)) == NAMES[1:]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"shelf": "../../etc", "names": NAMES}, "no key of a recipe"),
        ({"shelf": SHELF, "names": ["../" + "1" * 29]}, "no hash of an image"),
        ({"shelf": SHELF, "names": [7]}, "no hash of an image"),
    ],
)
@pytest.mark.parametrize("question", ["find", "keep"])
def test_no_path_is_taken_from_a_worker(
    keeper: EmbeddingKeeper, facts: dict[str, object], reason: str, question: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        getattr(keeper, question)(facts)


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"cut"])
def test_what_is_no_embedding_is_refused(
    keeper: EmbeddingKeeper, worker: InlineWorker, content: bytes
) -> None:
    whole = packed({"embedding": np.ones(3, np.float16)}, seconds=1.0)
    (worker.folder / "out" / "embedding0").write_bytes(whole[:-2] if content == b"cut" else content)
    with pytest.raises(ValueError, match="an embedding that is damaged"):
        keeper.keep({"shelf": SHELF, "names": NAMES[:1]})
    assert not list(keeper.storage.folder.rglob("*.safetensors"))


def test_units_that_are_tested_on_the_same_patients_share_them() -> None:
    unit = make_unit(support=[])
    other = unit.model_copy(update={"support": [], "probe": [], "key": "9" * 16})
    assert scope_of(unit) == scope_of(other)
    for change in ({"test": ["c4"]}, {"needs_test_label": True}):
        assert scope_of(unit.model_copy(update=change)) != scope_of(unit)
    assert os.sep not in scope_of(unit)
