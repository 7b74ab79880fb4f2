"""HSSL's views against MONAI's transforms, one after the other in each round of one run.

make bench runs this; `benchmark.extra_info` holds the figures. Both sides make the same kinds of
view with the same ranges and as likely: crop, mirror and rotation in one resampling, gamma,
contrast, brightness, noise, and a blur of half of them. MONAI's transforms take one image a call,
as a data loader would call them; ours take the batch. Both have one thread, as a unit here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from monai.transforms import (
    Compose,
    RandAdjustContrast,
    RandAffine,
    RandFlip,
    RandGaussianNoise,
    RandGaussianSmooth,
    RandScaleIntensity,
    RandScaleIntensityFixedMean,
)
from pytest_benchmark.fixture import BenchmarkFixture

from methods.hssl.views import Views
from tests.perf.timing import paired

ROUNDS = 5
BLUR = 1.5


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def monai_views(side: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """(1, S, S) -> a view of it. MONAI draws scale and shift apart: a crop of 30 to 100 % of the
    area is a side of 55 to 100 %, anywhere in the slice."""
    reach = float(np.deg2rad(20))
    least = 0.3**0.5
    away = (1 - (1 + least) / 2) / 2 * side
    return Compose(
        [
            RandAffine(
                prob=1.0,
                rotate_range=reach,
                scale_range=((least - 1, 0.0), (least - 1, 0.0)),
                translate_range=away,
                padding_mode="zeros",
                cache_grid=True,
                spatial_size=(side, side),
            ),
            RandFlip(prob=0.5, spatial_axis=1),
            RandAdjustContrast(prob=1.0, gamma=(0.7, 1.5)),
            RandScaleIntensityFixedMean(prob=1.0, factors=0.4),
            RandScaleIntensity(prob=1.0, factors=0.4),
            RandGaussianNoise(prob=1.0, std=0.05),
            RandGaussianSmooth(prob=0.5, sigma_x=(0.01, BLUR), sigma_y=(0.01, BLUR)),
        ]
    )


@pytest.mark.parametrize(("count", "side"), [(64, 256), (16, 128), (16, 64)])
def test_views_a_second(benchmark: BenchmarkFixture, count: int, side: int) -> None:
    torch.manual_seed(0)
    slices = torch.rand(count, 1, side, side)
    one_by_one = monai_views(side)
    sides: dict[str, Callable[[], object]] = {
        "ours": lambda: Views(blur=BLUR).both(slices),
        "package": lambda: torch.stack([torch.as_tensor(one_by_one(image)) for image in slices]),
    }
    paired(benchmark, sides, rounds=ROUNDS, warm=1)
    info = benchmark.extra_info
    for name in ("ours", "package"):
        info[f"{name} views/s"] = round(count / info[f"time {name}_s"])
