"""FATE by hand on the nano network: what is shown, what is carried on, what must not matter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.contract import Task, Volume
from bench.models.sam2.encode import Features
from bench.registry import discover
from methods.fate.similarity import distances, halved, joined, nearest
from tests.driving import driven
from tests.methods.sam2_tiny import as_patient, disks, sam2_method
from tests.methods.tiny import adapt, blind, dice, setting

SUPPORT = [disks("a", seed=1), disks("b", seed=2)]
QUERY = as_patient(disks("c", seed=3), "c")


def adapted(cache: Path, support: Any = SUPPORT, **changes: Any) -> Any:
    method = sam2_method("fate", cache, **changes)
    adapt(method, support, classes=2)
    return method


def maps(count: int, seed: int = 0) -> Features:
    torch.manual_seed(seed)
    return Features(
        torch.randn(count, 2, 8, 8), torch.randn(count, 4, 4, 4), torch.randn(count, 8, 2, 2)
    )


def test_distance_is_summed_over_channels_and_a_mean_over_places_and_levels() -> None:
    query, pool = maps(2), maps(11, seed=1)
    far = distances(query, pool)
    assert far.shape == (2, 11)
    for row, column in ((0, 0), (1, 10)):
        by_hand = [
            (getattr(query, name)[row] - getattr(pool, name)[column]).abs().sum(dim=0).mean()
            for name in ("s4", "s8", "s16")
        ]
        assert far[row, column] == pytest.approx(float(sum(by_hand)) / 3, rel=1e-5)
    assert (distances(query, halved(query)).diagonal() < 0.02).all()
    assert torch.equal(joined([query, pool]).s8[2:], pool.s8)


def test_the_nearest_of_the_allowed_are_taken_the_nearest_last() -> None:
    far = torch.tensor([[3.0, 1.0, 2.0, 0.5], [1.0, 1.0, 1.0, 1.0]])
    allowed = torch.tensor([True, True, True, False])
    assert nearest(far, allowed, 2) == [[2, 1], [1, 0]]
    assert nearest(far, allowed, 9) == [[0, 2, 1], [2, 1, 0]]


def test_a_volume_that_is_shown_itself_comes_back(cache: Path) -> None:
    given = disks("a", seed=1, depth=6)
    method = adapted(cache, [given], supports=1, z_memory=0, image_size=128)
    prediction = method.predict(as_patient(given, "b"))
    assert given.label is not None
    middle = slice(1, -1)  # the first slice shows nothing, and such slices are never shown
    for value in (1, 2):
        assert dice(prediction[middle], given.label[middle], value) > 0.9


def test_no_slice_of_the_same_patient_is_ever_shown(cache: Path) -> None:
    assert not adapted(cache, [SUPPORT[0]]).predict(blind(SUPPORT[0])).any()
    both, other = adapted(cache), adapted(cache, [SUPPORT[1]])
    assert (both.predict(blind(SUPPORT[0])) == other.predict(blind(SUPPORT[0]))).all()


def test_the_order_of_the_shots_does_not_matter(cache: Path) -> None:
    there, back = adapted(cache).predict(QUERY), adapted(cache, SUPPORT[::-1]).predict(QUERY)
    assert there.any()
    assert (there == back).all()


def test_a_pool_smaller_than_what_is_asked_for(cache: Path) -> None:
    few, many = (adapted(cache, supports=count).predict(QUERY) for count in (6, 99))
    assert (few == many).all()


def empty_slices() -> Volume:
    """Only slices 1 and 2 show anything; the support's other slices have no label at all."""
    given = disks("a", seed=1, depth=6)
    assert given.label is not None
    label = given.label.copy()
    label[3:] = 0
    return replace(given, label=label)


def test_slices_without_any_structure_are_not_shown(cache: Path) -> None:
    support = empty_slices()
    method = adapted(cache, [support], supports=99)
    shown = method.pool.present.any(dim=1)
    assert shown.tolist() == [False, True, True, False, False, False]
    only = replace(support, labelled_slices=(1, 2))
    assert (method.predict(QUERY) == adapted(cache, [only], supports=99).predict(QUERY)).all()
    every = adapted(cache, [support], supports=99, skip_empty=False)
    assert (method.predict(QUERY) != every.predict(QUERY)).any()


def test_a_class_that_the_shown_slices_lack_is_carried_on_or_left_out(cache: Path) -> None:
    """One support a slice; the last slice of the support shows the first class alone."""
    method = adapted(cache, [SUPPORT[0]], supports=1)
    everyone = torch.ones(len(method.pool), dtype=torch.bool)
    assert method._for_classes([[1], [3]], everyone) == [[[1], [1]], [[3], [3]]]
    method.options.absent = "empty"
    assert method._for_classes([[1], [3]], everyone) == [[[1], [1]], [[3], ()]]
    nobody = torch.tensor([False, False, False, True])
    method.options.absent = "carry"
    assert method._for_classes([[3]], nobody) == [[[3], ()]]


def test_neighbours_answers_act(cache: Path) -> None:
    alone, together = (adapted(cache, z_memory=m).predict(QUERY) for m in (0, 15))
    middle = len(QUERY.image) // 2
    assert (alone[middle] == together[middle]).all()
    assert (alone != together).any()


def test_nothing_is_trained_and_the_preparation_is_timed(cache: Path) -> None:
    method = sam2_method("fate", cache)
    assert not method.predict(QUERY).any()  # no slice yet
    phase = driven(method, Task(setting(2), SUPPORT, (), Path("nothing is written"))).phase
    assert (phase.epochs, phase.steps, phase.samples) == (0, 0, 8)
    assert phase.seconds > 0
    assert not any(value.requires_grad for value in method.parameters())


def test_a_saved_state_predicts_the_same(cache: Path) -> None:
    method, other = adapted(cache), sam2_method("fate", cache)
    other.load_state_dict(method.state_dict())
    assert (other.predict(QUERY) == method.predict(QUERY)).all()
    blank = sam2_method("fate", cache)
    other.load_state_dict(blank.state_dict())
    assert not other.predict(QUERY).any()


def test_as_many_neighbours_as_sam2_remembers(cache: Path) -> None:
    """The card's bound is the network's own."""
    most = sam2_method("fate", cache).segmenter.sam2.max_obj_ptrs_in_encoder - 1
    assert discover().method("fate")[1].options["z_memory"].most == most


def test_a_volume_of_one_slice(cache: Path) -> None:
    one = Volume("c", "c", np.ascontiguousarray(QUERY.image[1:2]), QUERY.spacing)
    assert adapted(cache).predict(one).shape == one.image.shape
