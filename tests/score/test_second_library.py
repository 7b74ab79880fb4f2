"""Our numbers against MONAI and SimpleITK, where the definitions are the same.

Not the same, on purpose: MONAI's `compute_hausdorff_distance` and average surface distance take
edge voxels of equal weight; here they are held to within a voxel only. Both libraries have
other rules for empty masks, which tests/score/test_empty.py covers.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from bench.score import count_overlap, score_case

SPACINGS = [(1.0, 1.0, 1.0), (3.3, 0.7, 1.1)]
NAMES = ["a", "b", "c"]


def one_hot(labels: np.ndarray):
    import torch

    return torch.as_tensor(np.stack([labels == value for value in range(4)])[None])


def monai_elements(prediction: np.ndarray, reference: np.ndarray, spacing) -> list[tuple]:
    """(distances, areas) of both directions from MONAI's sub-voxel surface."""
    import torch
    from monai.metrics.utils import get_edge_surface_distance

    edges, distances, areas = get_edge_surface_distance(
        torch.as_tensor(prediction),
        torch.as_tensor(reference),
        spacing=spacing,
        use_subvoxels=True,
        symmetric=True,
    )
    return [
        (d.double().numpy(), a[e].double().numpy())
        for e, d, a in zip(edges, distances, areas, strict=True)
    ]


def weighted_percentile(distances: np.ndarray, areas: np.ndarray) -> float:
    """By trial: the first distance within which 95 % of the area lies."""
    for distance in np.unique(distances):
        if areas[distances <= distance].sum() >= 0.95 * areas.sum() * (1 - 1e-6):
            return float(distance)
    raise AssertionError("the largest distance holds all of the area")


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("seed", [10, 20])
def test_nsd_equals_monai(lumps: Callable[..., np.ndarray], spacing, seed: int) -> None:
    from monai.metrics import compute_surface_dice

    prediction, reference = lumps(seed), lumps(seed + 1)
    theirs = compute_surface_dice(
        one_hot(prediction),
        one_hot(reference),
        class_thresholds=[1.37] * 3,
        spacing=spacing,
        use_subvoxels=True,
    )
    ours = score_case(prediction, reference, spacing, NAMES, tolerance_mm=1.37)
    np.testing.assert_allclose([s.nsd for s in ours.values()], theirs[0].numpy(), rtol=1e-5)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("seed", [10, 20])
def test_hd95_and_assd_equal_monai_elements(
    lumps: Callable[..., np.ndarray], spacing, seed: int
) -> None:
    prediction, reference = lumps(seed), lumps(seed + 1)
    for value, score in score_case(prediction, reference, spacing, [1, 2, 3]).items():
        sides = monai_elements(prediction == value, reference == value, spacing)
        hd95 = max(weighted_percentile(*side) for side in sides)
        total = sum(areas.sum() for _, areas in sides)
        assd = sum((distances * areas).sum() for distances, areas in sides) / total
        assert score.hd95 == pytest.approx(hd95, rel=1e-5)
        assert score.assd == pytest.approx(assd, rel=1e-5)


def test_a_picture_equals_monai(lumps: Callable[..., np.ndarray]) -> None:
    from monai.metrics import compute_surface_dice

    prediction, reference = lumps(30, (40, 50)), lumps(31, (40, 50))
    theirs = compute_surface_dice(
        one_hot(prediction),
        one_hot(reference),
        class_thresholds=[1.37] * 3,
        spacing=(0.6, 1.7),
        use_subvoxels=True,
    )
    ours = score_case(prediction, reference, (0.6, 1.7), NAMES, tolerance_mm=1.37)
    np.testing.assert_allclose([s.nsd for s in ours.values()], theirs[0].numpy(), rtol=1e-5)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_hd95_is_within_a_voxel_of_monai_edge_voxels(ball, spacing) -> None:
    """Another surface definition: the same figure up to the size of a voxel."""
    import torch
    from monai.metrics import compute_hausdorff_distance

    shape = tuple(int(40 / s) for s in spacing)
    centre = tuple(n / 2 for n in shape)
    prediction = ball(shape, centre, 15.0, spacing)
    reference = ball(shape, (centre[0], centre[1] + 4.0, centre[2]), 12.0, spacing)
    pair = [torch.as_tensor(labels)[None, None] for labels in (prediction, reference)]
    theirs = compute_hausdorff_distance(
        *pair, include_background=True, percentile=95, spacing=spacing
    )
    ours = score_case(prediction, reference, spacing, ["ball"])["ball"].hd95
    assert ours == pytest.approx(float(theirs), abs=math.hypot(*spacing))


def test_overlap_equals_monai_dice(lumps: Callable[..., np.ndarray]) -> None:
    import torch
    from monai.metrics import DiceMetric

    prediction, reference = lumps(10), lumps(11)
    metric = DiceMetric(include_background=False, num_classes=4, reduction="none")
    pair = [torch.as_tensor(labels)[None, None] for labels in (prediction, reference)]
    ours = [overlap.dice for overlap in count_overlap(prediction, reference, NAMES).values()]
    np.testing.assert_allclose(ours, metric(*pair)[0].numpy(), rtol=1e-6)


def test_overlap_equals_simpleitk(lumps: Callable[..., np.ndarray]) -> None:
    import SimpleITK

    prediction, reference = lumps(10), lumps(11)
    measures = SimpleITK.LabelOverlapMeasuresImageFilter()
    measures.Execute(
        SimpleITK.GetImageFromArray(prediction), SimpleITK.GetImageFromArray(reference)
    )
    for value, overlap in count_overlap(prediction, reference, [1, 2, 3]).items():
        assert overlap.dice == pytest.approx(measures.GetDiceCoefficient(value), rel=1e-12)
        assert overlap.iou == pytest.approx(measures.GetJaccardCoefficient(value), rel=1e-12)
        assert overlap.fn / overlap.referenced == pytest.approx(
            measures.GetFalseNegativeError(value), rel=1e-12
        )


def simpleitk_hausdorff(first: np.ndarray, second: np.ndarray, spacing) -> float:
    """Largest distance from a voxel of one mask to the other mask; arrays are (D, H, W)."""
    import SimpleITK

    images = [SimpleITK.GetImageFromArray(mask) for mask in (first, second)]
    for image in images:
        image.SetSpacing([float(s) for s in reversed(spacing)])
    measure = SimpleITK.HausdorffDistanceImageFilter()
    measure.Execute(*images)
    return float(measure.GetHausdorffDistance())


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("place", [(2, 2, 9), (6, 2, 2), (5, 4, 7)])
def test_two_voxels_equal_simpleitk(spacing, place: tuple[int, ...]) -> None:
    """Of two voxels the far corners are as far apart as the centres."""
    first, second = np.zeros((2, 8, 8, 12), np.uint8)
    first[2, 2, 2] = second[place] = 1
    expected = simpleitk_hausdorff(first, second, spacing)
    hd95 = score_case(first, second, spacing, ["a"])["a"].hd95
    assert hd95 == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_longer_box_equals_simpleitk(spacing, axis: int) -> None:
    """The far face has more than 5 % of the area: HD95 is the whole Hausdorff distance."""
    reference = np.zeros((20, 20, 20), np.uint8)
    reference[4:12, 4:12, 4:12] = 1
    prediction = reference | np.roll(reference, 3, axis=axis)
    expected = simpleitk_hausdorff(prediction, reference, spacing)
    hd95 = score_case(prediction, reference, spacing, ["box"])["box"].hd95
    assert hd95 == pytest.approx(expected, rel=1e-5)
    assert expected == pytest.approx(3 * spacing[axis], rel=1e-5)
