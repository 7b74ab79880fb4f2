"""Retrieval by hand on the nano networks: what it may see, and what must not matter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.contract import Task
from bench.data.slices import volume_slices
from bench.models.sam2 import make_sam2
from bench.models.sam2.recall import recall
from bench.registry import discover
from tests.driving import driven
from tests.methods.sam2_tiny import as_patient, disks, sam2_method
from tests.methods.tiny import NANO, adapt, blind, dice, pulled, setting

SUPPORT = [disks("a", seed=1), disks("b", seed=2)]


def adapted(cache: Path, support: Any = SUPPORT, **changes: Any) -> Any:
    method = sam2_method("retrieval", cache, **changes)
    adapt(method, support, classes=2)
    return method


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one == other).all())


def test_a_slice_that_is_shown_itself_gives_its_mask_back(cache: Path) -> None:
    """The memory route works where nothing but the route is asked: k = 1, the query's own slice,
    under another patient's name."""
    given = disks("a", seed=1, depth=6)
    method = adapted(cache, [given], k=1, image_size=128)
    prediction = method.predict(as_patient(given, "b"))
    assert given.label is not None
    assert not prediction[0].any()
    for value in (1, 2):
        assert dice(prediction, given.label, value) > 0.9


def test_no_slice_of_the_same_patient_is_ever_shown(cache: Path) -> None:
    alone = adapted(cache, [SUPPORT[0]])
    assert not alone.predict(blind(SUPPORT[0])).any()
    assert alone.predict(as_patient(SUPPORT[0], "c")).any()
    # With others in the pool: as if one's own had never been in it.
    both, other = adapted(cache), adapted(cache, [SUPPORT[1]])
    assert same(both.predict(blind(SUPPORT[0])), other.predict(blind(SUPPORT[0])))


def test_the_order_of_the_shots_does_not_matter(cache: Path) -> None:
    query = as_patient(disks("c", seed=3), "c")
    there, back = adapted(cache), adapted(cache, SUPPORT[::-1])
    assert there.predict(query).any()
    assert same(there.predict(query), back.predict(query))


def test_the_other_classes_do_not_matter(cache: Path) -> None:
    """Each class is a row of the batch: alone it gets the same logits."""
    method = adapted(cache)
    features = method.segmenter.encoder(SUPPORT[0])([1, 2])
    shown = [[(4, 5), (6, 5)], [(5,), (5, 6)]]
    with torch.inference_mode():
        both = recall(method.segmenter.sam2, features, shown, method.pool)
        for kind in (0, 1):
            only = [[row[c] if c == kind else () for c in (0, 1)] for row in shown]
            alone = recall(method.segmenter.sam2, features, only, method.pool)
            torch.testing.assert_close(
                alone.logits[:, kind], both.logits[:, kind], rtol=1e-4, atol=1e-4
            )
            assert (alone.logits[:, 1 - kind] == -1024).all()


def test_a_pool_smaller_than_k(cache: Path) -> None:
    query = as_patient(disks("c", seed=3), "c")
    assert same(adapted(cache, k=8).predict(query), adapted(cache, k=500).predict(query))


def test_a_class_that_none_of_the_k_shows_is_not_predicted(cache: Path) -> None:
    """k = 1 finds the query's own slice, in which nobody labelled the second class."""
    given = disks("a", seed=1)
    assert given.label is not None
    label = given.label.copy()
    label[2][label[2] == 2] = 0
    support, query = replace(given, label=label), as_patient(given, "c")
    empty, extend = (
        adapted(cache, [support], k=1, absent=word, image_size=128).predict(query)
        for word in ("empty", "extend")
    )
    assert (empty[1] == 2).any()
    assert not (empty[2] == 2).any()
    assert (extend[2] == 2).any()


@pytest.mark.parametrize(
    "changes",
    [
        {"keep_empty": False},
        {"z_memory": 2},
        {"feature": "patch_mean"},
        {"feature": "pixels"},
    ],
    ids=lambda changes: "-".join(map(str, *changes.items())),
)
def test_the_options_act(cache: Path, changes: dict[str, Any]) -> None:
    query = as_patient(disks("c", seed=3), "c")
    plain, changed = adapted(cache, k=8), adapted(cache, k=8, **changes)
    if "feature" in changes:
        assert plain.vectors.shape[0] == changed.vectors.shape[0]
        assert not torch.equal(plain.vectors[:, :9], changed.vectors[:, :9])
        assert changed.predict(query).any()
    else:
        assert not same(plain.predict(query), changed.predict(query))


def test_thumbnails_are_compared_by_their_correlation(cache: Path) -> None:
    method = adapted(cache, feature="pixels")
    stack = volume_slices(SUPPORT[0], method.finder.canvas)
    small = torch.nn.functional.interpolate(stack, size=(24, 24), mode="area").flatten(1)
    cosine = torch.nn.functional.cosine_similarity(method.vectors[1], method.vectors[2], dim=0)
    expected = np.corrcoef(small[1].numpy(), small[2].numpy())[0, 1]
    assert float(cosine) == pytest.approx(expected, abs=0.01)


def test_nothing_is_trained_and_the_preparation_is_timed(cache: Path) -> None:
    method = sam2_method("retrieval", cache)
    before = {n: v.clone() for n, v in method.segmenter.sam2.state_dict().items()}
    result = driven(method, Task(setting(2), SUPPORT, (), Path("nothing is written")))
    assert (result.phase.epochs, result.phase.steps, result.phase.samples) == (0, 0, 8)
    assert result.phase.seconds > 0
    assert result.phase.ended == "method"
    assert not any(value.requires_grad for value in method.parameters())
    after = method.segmenter.sam2.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_between_two_parts_of_the_support_it_predicts_with_what_it_has(cache: Path) -> None:
    method = sam2_method("retrieval", cache)
    query = as_patient(disks("c", seed=3), "c")
    assert not method.predict(query).any()  # no slice yet
    for _ in pulled(method, SUPPORT, classes=2):
        assert method.predict(query).shape == query.image.shape
    assert len(method.pool) == 8


def test_as_many_neighbours_as_sam2_remembers(cache: Path) -> None:
    """The card's bound is the network's own."""
    most = sam2_method("retrieval", cache).segmenter.sam2.num_maskmem - 1
    assert discover().method("retrieval")[1].options["z_memory"].most == most


@pytest.mark.slow
def test_full_size_network_at_1024_px(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SAM 2.1 tiny with random weights, end to end: two labelled slices, one query slice."""

    def random_weights(card: Any, *, image_size: int, **_: Any) -> Any:
        return make_sam2(card, image_size=image_size).eval().requires_grad_(False)

    monkeypatch.setattr("bench.models.sam2.slices.build_sam2", random_weights)
    monkeypatch.setitem(NANO, "sam2", "hiera_tiny")
    method = sam2_method("retrieval", cache, classes=1, image_size="auto")
    assert method.segmenter.canvas.size == 1024
    adapt(method, [replace(disks("a", depth=2), labelled_slices=(1,))], classes=1)
    assert method.pool.spatial.shape == (1, 1, 64, 64, 64)
    query = as_patient(disks("b", depth=1, seed=1, side=96), "b")
    prediction = method.predict(query)
    assert prediction.shape == query.image.shape
    assert prediction.dtype == np.uint8
