"""The U-Net by hand: it learns, it ends, it predicts on any grid, and it comes back from a file."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.contract import Volume
from methods.unet.method import UNet
from tests.methods.tiny import adapt, blind, dice, options, pulled, setting, volume


def squares(depth: int = 4, side: int = 64, *, seed: int = 0) -> Volume:
    """A bright and a dark square on a noisy grey, somewhere else on each slice.

    Three pixels off the grid of tokens: a transformer that looks for edges sees none in a square
    that fills whole tokens, and takes the bright one for the dark one.
    """
    random = np.random.default_rng(seed)
    label = np.zeros((depth, side, side), np.uint8)
    step, size = side // 8, side // 4
    left, right = step + 3, side - step - size - 3
    for z in range(depth):
        row = random.integers(step, side - size - step)
        label[z, row : row + size, left : left + size] = 1
        label[z, row : row + size, right : right + size] = 2
    image = np.choose(label, [0.4, 0.9, 0.05]) + random.normal(0, 0.03, label.shape)
    return volume(label, image=image.astype(np.float32))


def unet(seed: int = 0, **changes: object) -> UNet:
    torch.manual_seed(seed)
    small = {"size": 64, "width": 8, "levels": 3, "batch": 8, "lr": 0.01, **changes}
    return UNet(options("unet", **small), setting(2))


@pytest.fixture(scope="module")
def trained() -> UNet:
    method = unet()
    adapt(method, [squares()], steps=60, classes=2)
    return method


def test_it_learns_a_square_in_sixty_steps(trained: UNet) -> None:
    """On slices that it has not seen."""
    given = squares(seed=1)
    assert given.label is not None
    prediction = trained.predict(blind(given))
    assert dice(prediction, given.label, 1) > 0.9
    assert dice(prediction, given.label, 2) > 0.9
    assert prediction.dtype == np.uint8


@pytest.mark.parametrize("shape", [(1, 64, 64), (2, 96, 80), (3, 33, 47), (20, 64, 20)])
def test_it_predicts_on_any_grid(trained: UNet, shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(0).uniform(size=shape).astype(np.float16)
    prediction = trained.predict(Volume("c", "p", image, (1.0, 1.0, 1.0)))
    assert (prediction.shape, prediction.dtype) == (shape, np.uint8)
    assert prediction.max() <= 2


def test_a_larger_picture_is_seen_at_its_own_scale(trained: UNet) -> None:
    given = squares(seed=2)
    assert given.label is not None
    large = given.label.repeat(2, axis=1).repeat(2, axis=2)
    image = given.image.repeat(2, axis=1).repeat(2, axis=2)
    assert dice(trained.predict(blind(volume(large, image=image))), large) > 0.9


def test_it_comes_back_from_its_state(trained: UNet) -> None:
    other = unet(seed=1, size="auto")
    other.load_state_dict(dict(trained.state_dict()))
    given = blind(squares(seed=3))
    assert np.array_equal(other.predict(given), trained.predict(given))
    assert other.size == 64


def test_a_seed_fixes_it() -> None:
    def weights(seed: int) -> torch.Tensor:
        method = unet(seed)
        adapt(method, [squares()], steps=3, classes=2)
        return torch.cat([p.detach().flatten() for p in method.parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_looking_does_not_change_the_training() -> None:
    """`predict` between two steps leaves the network in the state that the next step expects."""

    def weights(look: bool) -> torch.Tensor:
        method = unet()
        given = squares()
        original = method.network.forward
        modes: list[bool] = []

        def forward(x: torch.Tensor) -> torch.Tensor:
            modes.append(method.network.training)
            out: torch.Tensor = original(x)
            return out

        method.network.forward = forward  # type: ignore[method-assign]
        for step, _ in enumerate(pulled(method, [given], steps=4, classes=2)):
            if look and step < 3:
                method.predict(blind(given))
        assert modes == ([True, False] * 3 + [True] if look else [True] * 4)
        return torch.cat([p.detach().flatten() for p in method.parameters()])

    assert torch.equal(weights(True), weights(False))


def test_without_a_budget_its_recipe_ends() -> None:
    """An epoch is one pass over the slices; two of them are its recipe here."""
    method = unet(epochs=2, width=4, levels=2)
    reports = adapt(method, [squares(depth=20)], classes=2)
    assert [(r.steps, r.samples) for r in reports] == [(1, 8)] * 6
    assert [i for i, r in enumerate(reports) if r.epoch] == [2, 5]
    assert all(r.loss is not None and np.isfinite(r.loss) for r in reports)


def test_a_budget_may_be_longer_than_its_recipe() -> None:
    method = unet(epochs=1, width=4, levels=2)
    assert len(adapt(method, [squares()], steps=20, classes=2)) == 20


def test_an_epoch_of_many_slices_is_all_of_them() -> None:
    method = unet(epochs=1, width=4, levels=2, size=16)
    reports = adapt(method, [squares(depth=100, side=16)], classes=2)
    assert len(reports) == 13  # 100 slices in batches of 8, the last one filled up


@pytest.mark.parametrize(
    ("shape", "size"),
    [((40, 30), 64), ((100, 70), 100), ((101, 101), 104), ((200, 181), 200), ((512, 512), 256)],
)
def test_auto_is_the_slices_own_size(shape: tuple[int, int], size: int) -> None:
    """Between 64 and 256, and a multiple of what three levels divide by."""
    method = unet(size="auto")
    assert method.size == 0
    label = np.zeros((1, *shape), np.uint8)
    label[:, 5:20, 5:20] = 1
    adapt(method, [volume(label)], steps=1, classes=2)
    assert method.size == size
    assert method.predict(blind(volume(label))).shape == (1, *shape)


def test_a_size_that_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^size=66: 3 levels need a multiple of 4$"):
        unet(size=66)
    assert unet(size=96).size == 96  # as the command line hands it over


def test_the_rate_follows_the_budget() -> None:
    """Warm-up and decay over the steps that there are: the last step is nearly still."""
    method = unet(width=4, levels=2)
    moved = []
    before = None
    for _ in pulled(method, [squares()], steps=40, classes=2):
        now = torch.cat([p.detach().flatten() for p in method.parameters()])
        if before is not None:
            moved.append((now - before).norm().item())
        before = now
    assert np.argmax(moved) < 12
    assert moved[-1] < 0.2 * max(moved)


def test_unlabelled_slices_are_not_trained_on() -> None:
    given = squares()
    label = np.full(given.image.shape, 255, np.uint8)
    assert given.label is not None
    label[2] = given.label[2]
    reports = adapt(
        unet(width=4, levels=2), [volume(label, image=given.image, slices=[2])], steps=2, classes=2
    )
    assert all(r.loss is not None and 0 < r.loss < 5 for r in reports)
