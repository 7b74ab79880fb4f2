"""PerSAM and PerSAM-F by hand on the nano network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from methods.persam.target import similarity
from tests.methods.sam2_tiny import as_patient, disks, sam2_method
from tests.methods.tiny import adapt, dice

SUPPORT = [disks("a", seed=1), disks("b", seed=2)]
QUERY = as_patient(disks("c", seed=3), "c")
BOTH = pytest.mark.parametrize("variant", ["persam", "f"])


def adapted(cache: Path, support: Any = SUPPORT, *, classes: int = 2, **changes: Any) -> Any:
    method = sam2_method("persam", cache, classes=classes, **{"steps": 20, **changes})
    adapt(method, support, classes=classes)
    return method


def agree(one: np.ndarray, other: np.ndarray) -> bool:
    """Embeddings differ in their last bits between batches; a voxel at a border may tip over."""
    return bool((one != other).mean() < 0.002)


def test_one_target_a_class_is_the_mean_over_the_slices_that_show_it(cache: Path) -> None:
    both = adapted(cache)
    assert both.seen.tolist() == [6, 4]
    alone = [adapted(cache, [given]).targets for given in SUPPORT]
    torch.testing.assert_close(both.targets, sum(alone) / 2, rtol=1e-3, atol=1e-3)


@BOTH
def test_the_order_of_the_shots_does_not_matter(cache: Path, variant: str) -> None:
    there, back = (adapted(cache, s, variant=variant) for s in (SUPPORT, SUPPORT[::-1]))
    torch.testing.assert_close(there.targets, back.targets, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(there.learned, back.learned, rtol=1e-3, atol=1e-3)
    assert agree(there.predict(QUERY), back.predict(QUERY))


@BOTH
def test_classes_do_not_see_each_other(cache: Path, variant: str) -> None:
    method, first = (adapted(cache, variant=variant) for _ in range(2))
    whole = method.predict(QUERY)
    first.seen[1] = 0
    alone = first.predict(QUERY)
    assert set(np.unique(alone)) == {0, 1}
    assert (alone[whole == 1] == 1).mean() > 0.99  # what else it has was the other class's


def test_a_class_that_is_never_shown_is_never_found(cache: Path) -> None:
    method = adapted(cache, classes=3, variant="f")
    assert method.seen.tolist() == [6, 4, 0]
    assert not (method.predict(QUERY) == 3).any()
    assert not sam2_method("persam", cache).predict(QUERY).any()  # nothing was shown yet


def test_it_looks_at_the_disk_and_finds_it(cache: Path) -> None:
    """Its own slices: the likeliest pixel lies in the disk; the mask is as good as nano SAM's."""
    given = disks("a", seed=1, depth=6)
    assert given.label is not None
    label = np.where(given.label == 1, 1, 0).astype(np.uint8)
    method = adapted(cache, [replace(given, label=label)], classes=1, image_size=128)
    canvas, shape = method.encoder.canvas, given.image.shape[1:]
    embedding = method.encoder.volume(given).take().float()
    similar = similarity(embedding, method.targets.expand(len(embedding), -1))
    for z, place in enumerate(canvas.scores_back(similar[:, None], *shape)[:, 0]):
        row, column = divmod(int(place.argmax()), shape[1])
        assert label[z, row, column] or not label[z].any()
    assert dice(method.predict(as_patient(given, "b"))[1:], label[1:]) > 0.4


def test_persam_takes_no_step_and_the_other_one_as_many_as_it_says(cache: Path) -> None:
    def reports(**changes: Any) -> list[Any]:
        method = sam2_method("persam", cache, **changes)
        return adapt(method, SUPPORT, classes=2)

    plain = reports()
    assert sum(r.steps for r in plain) == 0
    assert not any(r.epoch for r in plain)
    learned = reports(variant="f", steps=7)
    assert sum(r.steps for r in learned) == 7
    assert sum(r.epoch for r in learned) == 7
    assert sam2_method("persam", cache).options.steps == 1000


def test_a_budget_of_steps_shortens_the_schedule_too(cache: Path) -> None:
    """Five steps under a budget are the five steps of a recipe of five."""
    budget, recipe = (sam2_method("persam", cache, variant="f", steps=n) for n in (1000, 5))
    adapt(budget, SUPPORT, classes=2, steps=5)
    adapt(recipe, SUPPORT, classes=2)
    assert not torch.equal(budget.learned, torch.full((2, 2), 1 / 3))
    torch.testing.assert_close(budget.learned, recipe.learned, rtol=1e-4, atol=1e-6)


def test_references_can_be_few(cache: Path) -> None:
    method = sam2_method("persam", cache, variant="f", steps=1, references=1)
    reports = adapt(method, SUPPORT, classes=2)
    assert reports[-1].samples == 2  # one slice a class
