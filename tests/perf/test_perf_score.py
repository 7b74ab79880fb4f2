"""Scores against MONAI doing the same, taken in turns in one run. Ratios are MONAI's time by ours.

make bench runs this; `benchmark.extra_info` holds the ratios.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.protocol import NSD_TOLERANCE_MM
from bench.score import count_overlap, score_case

Pair = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
SPACING = (2.5, 0.8, 0.8)
TOLERANCE_MM = NSD_TOLERANCE_MM


def organs(shape: tuple[int, int, int], classes: int, roughness: float) -> Pair:
    """Ellipsoids as a reference; as a prediction the same ones, shifted and with a rough edge."""
    rng = np.random.default_rng(0)
    axes = np.ogrid[tuple(slice(size) for size in shape)]
    prediction, reference = np.zeros((2, *shape), np.uint8)
    for value in range(1, classes + 1):
        centre = rng.uniform(0.25, 0.75, 3) * shape
        radius = rng.uniform(0.06, 0.2, 3) * shape
        for labels, shift in ((reference, 0.0), (prediction, 1.5)):
            inside = sum(
                ((a - c - shift) / r) ** 2 for a, c, r in zip(axes, centre, radius, strict=True)
            )
            edge = 1 if labels is reference else 1 + roughness * rng.normal(size=shape)
            labels[inside <= edge] = value
    return prediction, reference


def paired(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> list[float]:
    """Median seconds of both, one after the other in each round, after one warm-up of ours."""
    ours()
    seconds: list[list[float]] = [[], []]
    for _ in range(rounds):
        for call, times in zip((ours, theirs), seconds, strict=True):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in seconds]


def note(benchmark: BenchmarkFixture, what: str, ours: float, theirs: float) -> float:
    ratio = theirs / ours
    benchmark.extra_info[f"{what} ratio"] = round(ratio, 2)
    benchmark.extra_info[f"{what} ours_s"] = round(ours, 4)
    benchmark.extra_info[f"{what} monai_s"] = round(theirs, 4)
    print(f"\n{what}: ours {ours:.4f} s, MONAI {theirs:.4f} s, ratio {ratio:.1f}")
    return ratio


def test_overlap_of_14_classes(benchmark: BenchmarkFixture) -> None:
    """512 x 512 x 120 voxels, as a CT of the abdomen. MONAI from labels and from one-hot maps."""
    import torch
    from monai.metrics import DiceMetric

    prediction, reference = organs((120, 512, 512), 14, roughness=0.0)
    names = [f"organ {value}" for value in range(1, 15)]
    metric = DiceMetric(include_background=False, num_classes=15, reduction="none")
    tensors = [torch.as_tensor(labels)[None, None] for labels in (prediction, reference)]

    def ours() -> dict[str, object]:
        return dict(count_overlap(prediction, reference, names))

    def from_labels() -> torch.Tensor:
        return metric(*tensors)

    def from_one_hot() -> torch.Tensor:
        """As its own examples do: one channel a class."""
        values = torch.arange(15, dtype=torch.uint8)[None, :, None, None, None]
        return metric(*(labels == values for labels in tensors))

    theirs = from_labels()[0].numpy()
    np.testing.assert_allclose(
        [overlap.dice for overlap in count_overlap(prediction, reference, names).values()],
        theirs,
        rtol=1e-5,
    )
    ratios = [
        note(benchmark, what, *paired(ours, call, rounds=2))
        for what, call in (("overlap, from labels", from_labels), ("from one-hot", from_one_hot))
    ]
    benchmark.pedantic(ours, rounds=10, warmup_rounds=1)
    assert min(ratios) >= 50


@pytest.mark.parametrize("kind", ["smooth", "rough", "noise"])
def test_boundary_scores(benchmark: BenchmarkFixture, kind: str) -> None:
    """HD95, ASSD and NSD of 4 classes: one call of ours against MONAI's.

    Ours counts the overlap, too. MONAI crops to each class's own box by itself.
    """
    import torch
    from monai.metrics import (
        compute_average_surface_distance,
        compute_hausdorff_distance,
        compute_surface_dice,
    )
    from monai.metrics.utils import get_edge_surface_distance

    shape = (30, 80, 80) if kind == "noise" else (60, 256, 256)
    prediction, reference = organs(shape, 4, roughness=0.2 if kind == "rough" else 0.0)
    if kind == "noise":
        prediction = np.random.default_rng(1).integers(0, 5, shape, dtype=np.uint8)
    names = [f"organ {value}" for value in range(1, 5)]

    def ours() -> object:
        return score_case(prediction, reference, SPACING, names, tolerance_mm=TOLERANCE_MM)

    def monai() -> object:
        pair = [
            torch.as_tensor(np.stack([labels == value for value in range(5)])[None])
            for labels in (prediction, reference)
        ]
        return (
            compute_hausdorff_distance(*pair, percentile=95, spacing=SPACING),
            compute_average_surface_distance(*pair, symmetric=True, spacing=SPACING),
            compute_surface_dice(*pair, [TOLERANCE_MM] * 4, spacing=SPACING, use_subvoxels=True),
        )

    def monai_once() -> object:
        """The least work: its sub-voxel surface distances, which all three can be had from."""
        return [
            get_edge_surface_distance(
                torch.as_tensor(prediction == value),
                torch.as_tensor(reference == value),
                spacing=SPACING,
                use_subvoxels=True,
                symmetric=True,
            )
            for value in range(1, 5)
        ]

    ratios = [
        note(benchmark, f"boundary, {kind}, {what}", *paired(ours, call, rounds=3))
        for what, call in (("three functions", monai), ("distances once", monai_once))
    ]
    benchmark.pedantic(ours, rounds=3, warmup_rounds=1)
    assert min(ratios) >= 1


def test_import_seconds(benchmark: BenchmarkFixture, project_root: Path) -> None:
    """What a scorer process pays before it scores: why the boundary is not left to MONAI."""

    def start(module: str) -> None:
        code = f"import {module}, scipy.spatial, scipy.ndimage"
        subprocess.run([sys.executable, "-c", code], cwd=project_root, check=True)

    ours, theirs = paired(lambda: start("bench.score"), lambda: start("monai.metrics"), rounds=3)
    ratio = note(benchmark, "import", ours, theirs)
    benchmark.pedantic(start, args=("bench.score",), rounds=3)
    assert ratio >= 1
