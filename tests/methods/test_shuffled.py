"""Shuffled labels: nobody learns from their own."""

from __future__ import annotations

import numpy as np
import pytest

from bench.contract import Volume
from bench.protocol import UNLABELLED
from methods.control_shuffled.method import Shuffled, shuffled
from tests.methods.tiny import adapt, blind, dice, options, setting, volume


def marked(
    number: int, *, depth: int = 4, side: int = 6, slices: list[int] | None = None
) -> Volume:
    """Every labelled voxel of case `number` says so; every slice has its own row of zeros."""
    label = np.full((depth, side, side), number, np.uint8)
    for z in range(depth):
        label[z, z % side] = 0
    if slices is not None:
        unlabelled = [z for z in range(depth) if z not in slices]
        label[unlabelled] = UNLABELLED
    return volume(label, slices=slices, case=f"c{number}")


def numbers(given: Volume) -> set[int]:
    assert given.label is not None
    return set(given.label.flatten().tolist()) - {0, UNLABELLED}


@pytest.mark.parametrize("count", [2, 3, 5, 9])
@pytest.mark.parametrize("seed", range(5))
def test_no_case_keeps_its_label(count: int, seed: int) -> None:
    support = [marked(number) for number in range(1, count + 1)]
    wrong = shuffled(support, seed)
    got = [numbers(given) for given in wrong]
    assert all(len(number) == 1 for number in got)
    assert all(got[i] != {i + 1} for i in range(count))
    assert set.union(*got) == set(range(1, count + 1))  # each is learnt by somebody
    for before, after in zip(support, wrong, strict=True):
        assert after.image is before.image
        assert (after.case, after.labelled_slices) == (before.case, before.labelled_slices)


def test_labels_are_stretched_to_their_new_volume() -> None:
    """The left half stays the left half, the lower slices stay the lower ones."""
    one, two = np.zeros((2, 4, 8), np.uint8), np.zeros((6, 10, 4), np.uint8)
    one[:, :, :4], two[3:] = 1, 2
    first, second = shuffled([volume(one), volume(two)], seed=0)
    assert first.label is not None
    assert second.label is not None
    assert first.label.shape == (2, 4, 8)
    assert (first.label[0] == 0).all()
    assert (first.label[1] == 2).all()
    assert second.label.shape == (6, 10, 4)
    assert (second.label[:, :, :2] == 1).all()
    assert (second.label[:, :, 2:] == 0).all()


def test_labelled_slices_go_to_labelled_slices() -> None:
    """A shot of slices: what nobody labelled stays unlabelled, whatever the depths are."""
    one, two = marked(1, depth=9, slices=[4]), marked(2, depth=3, slices=[0, 2])
    first, second = shuffled([one, two], seed=0)
    assert first.label is not None
    assert second.label is not None
    assert (numbers(first), numbers(second)) == ({2}, {1})
    assert (first.labelled_slices, second.labelled_slices) == ((4,), (0, 2))
    assert (first.label[[z for z in range(9) if z != 4]] == UNLABELLED).all()
    assert (first.label[4] != UNLABELLED).all()
    assert (second.label[1] == UNLABELLED).all()
    assert (second.label[[0, 2]] != UNLABELLED).all()


@pytest.mark.parametrize("seed", range(5))
def test_one_case_shuffles_its_slices(seed: int) -> None:
    (given,) = support = [marked(1, depth=6)]
    (wrong,) = shuffled(support, seed)
    assert given.label is not None
    assert wrong.label is not None
    assert all(not np.array_equal(wrong.label[z], given.label[z]) for z in range(6))
    assert {row.tobytes() for row in wrong.label} == {row.tobytes() for row in given.label}


def test_one_case_with_some_labelled_slices() -> None:
    (wrong,) = shuffled([marked(1, depth=6, slices=[1, 4])], seed=0)
    before = marked(1, depth=6, slices=[1, 4]).label
    assert before is not None
    assert wrong.label is not None
    assert np.array_equal(wrong.label[1], before[4])
    assert np.array_equal(wrong.label[4], before[1])
    assert (wrong.label[[0, 2, 3, 5]] == UNLABELLED).all()


def test_one_slice_is_turned() -> None:
    label = np.array([[[1, 2, 0], [0, 0, 0]]], np.uint8)
    (wrong,) = shuffled([volume(label)], seed=0)
    assert wrong.label is not None
    assert wrong.label.tolist() == [[[0, 0, 0], [0, 2, 1]]]


def test_the_support_is_left_alone() -> None:
    support = [marked(1), marked(2)]
    for given in support:
        assert given.label is not None
        given.label.flags.writeable = False
    shuffled(support, seed=0)
    shuffled(support[:1], seed=0)
    assert [numbers(given) for given in support] == [{1}, {2}]


def test_a_seed_fixes_the_circle() -> None:
    support = [marked(number) for number in range(1, 8)]

    def circle(seed: int) -> list[set[int]]:
        return [numbers(given) for given in shuffled(support, seed)]

    assert circle(3) == circle(3)
    assert any(circle(seed) != circle(3) for seed in range(5))


def test_it_trains_on_the_wrong_labels() -> None:
    """Left square in the one, right square in the other: it learns to point at the empty side."""
    left, right = np.zeros((2, 32, 32), np.uint8), np.zeros((2, 32, 32), np.uint8)
    left[:, 8:24, 2:14], right[:, 8:24, 18:30] = 1, 1
    support = [volume(left), volume(right)]
    method = Shuffled(options("control_shuffled", size=32, width=8, levels=2, lr=0.01), setting())
    reports = adapt(method, support, steps=60)
    assert sum(report.steps for report in reports) == 60
    prediction = method.predict(blind(support[0]))
    assert dice(prediction, right) > 0.7
    assert dice(prediction, left) < 0.3
