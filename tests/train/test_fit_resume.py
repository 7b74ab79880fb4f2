"""The fit loop stopped between two steps and gone on in a new process's place: the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bench.data.slices import Canvas
from bench.train.fit import FitPlan, fit
from bench.train.fitted import FittedSchedule
from bench.train.slicewise import SliceRecipe, fit_slices
from tests.train.starts import Start, StoppedError
from tests.unit.conftest import drawn

STEPS = 30


def train(
    folder: Path, *, stop: int = 0, seed: int | None = None, forget: bool = False
) -> tuple[Start, dict[str, Tensor]]:
    """A start of the training; with `stop`, it is asked to stop after so many of its steps.
    `forget`: it draws from a generator of its own that nobody keeps."""
    start = Start(folder, STEPS)
    clock, random = start.clock, start.random
    x = torch.linspace(-1, 1, 33).reshape(11, 3)
    y = x.sum(dim=1, keepdim=True).sin()
    with random.use():
        network = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.3), nn.Linear(8, 1))
        optimiser = torch.optim.AdamW(network.parameters(), lr=0.05)
    schedule = FittedSchedule(clock, recipe_steps=100, warm_up=40, short_warm_up=5)

    private = torch.Generator() if forget else None

    def sample(chosen: Tensor) -> tuple[Tensor, Tensor]:
        return x[chosen] + 0.1 * torch.randn(len(chosen), 3, generator=private), y[chosen]

    def loss(inputs: Tensor, targets: Tensor) -> Tensor:
        return (network(inputs) - targets).square().mean()

    work = fit(
        network,
        optimiser,
        clock=clock,
        plan=FitPlan(batch=4, epochs=100, fill=True, seed=seed),
        count=len(x),
        sample=sample,
        loss=loss,
        rate=schedule,
        device="cpu",
        keeps={"schedule": schedule},
    )
    start.pull(work, stop)
    return start, dict(network.state_dict())


@pytest.mark.parametrize("seed", [None, 7])
@pytest.mark.parametrize("stops", [(1,), (3,), (4,), (17,), (2, 9, 5), (STEPS - 1,)])
def test_the_same_weights(tmp_path: Path, stops: tuple[int, ...], seed: int | None) -> None:
    """In the middle of an epoch of three batches, at its end, in the warm-up, near the end."""
    whole, expected = train(tmp_path / "whole", seed=seed)
    for stop in stops:
        with pytest.raises(StoppedError):
            train(tmp_path / "parted", stop=stop, seed=seed)
    parted, found = train(tmp_path / "parted", seed=seed)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert parted.clock.steps == whole.clock.steps == STEPS
    assert parted.epochs == whole.epochs == STEPS / 3


def test_slices_go_on_too(tmp_path: Path) -> None:
    """`fit_slices` says itself what it keeps: methods on it can be stopped without a line more."""

    def train_slices(folder: Path, stop: int = 0) -> dict[str, Tensor]:
        start = Start(folder, 12)
        clock, random = start.clock, start.random
        with random.use():
            network = nn.Conv2d(1, 3, 3, padding=1)
        work = fit_slices(
            network,
            torch.optim.Adam(network.parameters(), lr=0.05),
            support=[drawn(0), drawn(1)],
            canvas=Canvas(16),
            clock=clock,
            recipe=SliceRecipe(batch=4, epochs=10, warm_up=5),
            loss=lambda x, y, done: cross_entropy(network(x), y.long(), ignore_index=255),
            device="cpu",
        )
        start.pull(work, stop)
        return dict(network.state_dict())

    expected = train_slices(tmp_path / "whole")
    with pytest.raises(StoppedError):
        train_slices(tmp_path / "parted", stop=5)
    found = train_slices(tmp_path / "parted")
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_what_is_left_out_is_seen(tmp_path: Path) -> None:
    """The comparison above can fail."""
    _, expected = train(tmp_path / "whole", forget=True)
    with pytest.raises(StoppedError):
        train(tmp_path / "parted", stop=3, forget=True)
    _, found = train(tmp_path / "parted", forget=True)
    assert not all(torch.equal(found[name], expected[name]) for name in expected)
