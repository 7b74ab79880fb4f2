"""Counts against boxes and balls with a closed form, and against counting voxel by voxel."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.score import Overlap, count_overlap
from bench.score.overlap import CHUNK


def slow_count(prediction: np.ndarray, reference: np.ndarray, value: int) -> Overlap:
    """The definition, one class at a time."""
    p, r = prediction == value, reference == value
    known = reference != 255
    return Overlap(tp=int((p & r).sum()), fp=int((p & ~r & known).sum()), fn=int((~p & r).sum()))


def test_shifted_boxes_are_exact() -> None:
    prediction, reference = np.zeros((2, 16, 18, 30), np.uint8)
    reference[2:10, 3:13, 4:24] = 1
    prediction[3:11, 5:15, 7:27] = 1
    (overlap,) = count_overlap(prediction, reference, ["box"]).values()
    common = 7 * 8 * 17
    assert overlap == Overlap(tp=common, fp=1600 - common, fn=1600 - common)
    assert overlap.dice == common / 1600
    assert overlap.iou == common / (3200 - common)
    assert (overlap.predicted, overlap.referenced) == (1600, 1600)


@pytest.mark.parametrize("distance", [0, 4, 12, 20])
def test_shifted_balls_follow_the_lens_formula(ball, distance: int) -> None:
    radius, shape = 20.0, (45, 45, 70)
    reference = ball(shape, (22, 22, 22), radius)
    prediction = ball(shape, (22, 22, 22 + distance), radius)
    lens = math.pi * (4 * radius + distance) * (2 * radius - distance) ** 2 / 12
    dice = count_overlap(prediction, reference, ["ball"])["ball"].dice
    assert dice == pytest.approx(lens / (4 / 3 * math.pi * radius**3), abs=0.004)


def test_nothing_drawn_has_no_dice() -> None:
    nothing = np.zeros((3, 3), np.uint8)
    assert count_overlap(nothing, nothing, ["a"]) == {"a": Overlap(0, 0, 0)}
    assert Overlap(0, 0, 0).dice is None
    assert Overlap(0, 0, 0).iou is None


def test_unlabelled_voxels_count_for_nothing() -> None:
    reference = np.array([[1, 1, 255, 255, 0, 0, 2, 2]], np.uint8)
    prediction = np.array([[1, 0, 1, 2, 1, 0, 2, 0]], np.uint8)
    assert count_overlap(prediction, reference, ["a", "b"]) == {
        "a": Overlap(tp=1, fp=1, fn=1),
        "b": Overlap(tp=1, fp=0, fn=1),
    }


def test_counts_are_plain_integers() -> None:
    overlap = count_overlap(np.ones(9, np.uint8), np.ones(9, np.uint8), ["a"])["a"]
    assert {type(n) for n in (overlap.tp, overlap.fp, overlap.fn)} == {int}


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 200), run=st.integers(1, 40))
def test_every_class_equals_counting_voxel_by_voxel(seed: int, size: int, run: int) -> None:
    """Runs of equal labels, of any length, so that plain, mixed and left-over words occur."""
    rng = np.random.default_rng(seed)
    values = np.array([0, 1, 2, 3, 17, 254, 255], np.uint8)
    reference = np.repeat(rng.choice(values, size), run)
    prediction = np.repeat(rng.choice(values[:-1], size), run)
    cut = rng.integers(0, reference.size)
    reference, prediction = reference[cut:], np.roll(prediction, 3)[cut:]
    counted = count_overlap(prediction, reference, [1, 2, 3, 17, 254])
    for value, overlap in counted.items():
        assert overlap == slow_count(prediction, reference, value)


@pytest.mark.parametrize("size", [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 13])
def test_chunks_join_without_a_seam(size: int) -> None:
    rng = np.random.default_rng(size)
    reference = np.repeat(rng.integers(0, 4, size // 5 + 1, dtype=np.uint8), 5)[:size]
    prediction = rng.integers(0, 4, size, dtype=np.uint8)
    for value, overlap in count_overlap(prediction, reference, [1, 2, 3]).items():
        assert overlap == slow_count(prediction, reference, value)


@pytest.mark.parametrize(
    "layout",
    [
        np.asfortranarray,
        np.flip,
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: np.frombuffer(b"x" + a.tobytes(), np.uint8, offset=1).reshape(a.shape),
    ],
    ids=["fortran", "reversed", "strided", "unaligned"],
)
def test_memory_layout_does_not_matter(lumps, layout) -> None:
    prediction, reference = lumps(1), lumps(2)
    names = ["a", "b", "c"]
    expected = count_overlap(prediction, reference, names)
    assert count_overlap(layout(prediction), layout(reference), names) == expected
    if layout is not np.flip:
        assert count_overlap(layout(prediction), reference, names) == expected
        assert count_overlap(prediction, layout(reference), names) == expected


def test_import_is_light(project_root: Path) -> None:
    """A scorer process starts for every unit: neither torch, MONAI nor scipy at import."""
    code = "import sys, bench.score; print(*{'torch', 'monai', 'scipy'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project_root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
