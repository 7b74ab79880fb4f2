"""HSSL's views: what the numbers say is what is done, a slice at a time though made at once."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from methods.hssl.views import Views, blurred, places_of

STILL = Views(crop=1.0, degrees=0.0, strength=0.0, gamma=(1.0, 1.0), noise=0.0, blur=0.0)


def slices(count: int = 6, side: int = 32) -> torch.Tensor:
    return torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(0))


def test_with_nothing_to_change_only_mirrors_are_left() -> None:
    x = slices(40)
    views = STILL.both(x)
    same = (views - x).abs().amax((1, 2, 3)) < 1e-5
    mirrored = (views - x.flip(-1)).abs().amax((1, 2, 3)) < 1e-5
    assert (same ^ mirrored).all()
    assert 8 < int(same.sum()) < 32


def test_parts_of_a_batch_come_back_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    x = slices(10)
    monkeypatch.setattr("methods.hssl.views.CPU_PIXELS", 3 * 32 * 32)
    views = STILL.both(x)
    apart = torch.minimum((views - x).abs(), (views - x.flip(-1)).abs())
    assert apart.max() < 1e-5


def test_views_are_in_range_random_and_of_the_same_shape() -> None:
    x = slices()
    before = x.clone()
    one, other = Views().both(x), Views().both(x)
    assert one.shape == x.shape
    assert one.min() >= 0
    assert one.max() <= 1
    assert not torch.equal(one, other)
    assert torch.equal(x, before)


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_a_crop_keeps_this_share_of_the_area(share: float) -> None:
    """On a ramp the grey values' slope is the side of the crop."""
    ramp = torch.linspace(0, 1, 256).expand(200, 1, 256, 256).contiguous()
    views = Views(crop=share, degrees=0.0).place(ramp)
    slope = (views[..., 128, 192] - views[..., 128, 64]).abs()[:, 0] * 255 / 128
    areas = slope.square()
    assert areas.min() == pytest.approx(share, abs=0.05)
    assert areas.max() == pytest.approx(1, abs=0.05)
    assert areas.mean() == pytest.approx((1 + share) / 2, abs=0.06)


def test_a_rotation_is_at_most_this() -> None:
    ramp = torch.linspace(0, 1, 128)
    x = ramp.expand(200, 1, 128, 128).contiguous()
    views = Views(crop=1.0, degrees=20.0).place(x)[:, 0]
    across = views[:, 64, 72] - views[:, 64, 56]
    down = views[:, 72, 64] - views[:, 56, 64]
    angles = torch.rad2deg(torch.atan2(down, across.abs()))
    assert float(angles.abs().max()) == pytest.approx(19.5, abs=1)
    assert float(angles.mean()) == pytest.approx(0, abs=2.5)


def test_places_are_those_of_affine_grid() -> None:
    x = slices(5)
    theta = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(1))
    grid = torch.nn.functional.affine_grid(theta, list(x.shape), align_corners=False)
    assert torch.allclose(places_of(theta, 32), grid, atol=1e-5)


def test_grey_values_alone_change_in_place() -> None:
    """Gamma, contrast and brightness keep the order of a slice's grey values."""
    x = slices(30)
    views = Views(noise=0.0, blur=0.0).grey(x)
    for before, after in zip(x.flatten(1), views.flatten(1), strict=True):
        order = before.argsort()
        assert (after[order].diff() >= -1e-6).all()
    assert not torch.allclose(views, x, atol=0.05)


def test_gamma_contrast_and_brightness_by_hand() -> None:
    torch.manual_seed(5)
    x = torch.full((200, 1, 4, 4), 0.5)
    power = Views(strength=0.0, noise=0.0, blur=0.0).grey(x)[:, 0, 0, 0].log() / math.log(0.5)
    assert power.min() == pytest.approx(0.7, abs=0.03)
    assert power.max() == pytest.approx(1.5, abs=0.03)
    bright = Views(gamma=(1.0, 1.0), noise=0.0, blur=0.0).grey(x)[:, 0, 0, 0] / 0.5
    assert bright.min() == pytest.approx(0.6, abs=0.03)
    assert bright.max() == pytest.approx(1.4, abs=0.03)


def test_noise_is_at_most_this_and_blur_hits_half() -> None:
    torch.manual_seed(6)
    still = Views(strength=0.0, gamma=(1.0, 1.0), noise=0.1, blur=0.0)
    grain = still.grey(torch.full((300, 1, 16, 16), 0.5)).flatten(1).std(1)
    assert grain.max() == pytest.approx(0.1, abs=0.015)
    assert grain.mean() == pytest.approx(0.05, abs=0.01)
    x = slices(300, 16)
    soft = Views(strength=0.0, gamma=(1.0, 1.0), noise=0.0, blur=2.0).grey(x)
    # A blur that is narrower than a pixel's fifth changes nothing.
    changed = ((soft - x).abs().amax((1, 2, 3)) > 1e-6).float().mean()
    assert float(changed) == pytest.approx(0.47, abs=0.08)


def test_a_blur_is_scipys() -> None:
    x = slices(3)
    sigma = torch.tensor([0.5, 1.0, 1.4])
    found = blurred(x, sigma, reach=3)
    for n in range(3):
        expected = np.asarray(x[n, 0])
        for axis in (0, 1):
            expected = gaussian_filter1d(
                expected, float(sigma[n]), axis=axis, mode="nearest", radius=3
            )
        assert np.allclose(found[n, 0], expected, atol=1e-5)
