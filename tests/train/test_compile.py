"""The option `compile`: off by default, the same losses, and paid for by the first step.

SAMed is traced in 15 graphs, which takes half a minute: it was tried by hand, with the same losses.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.data.slices import Canvas
from bench.train.losses import cross_entropy_dice
from bench.train.slicewise import SliceRecipe, adjusted, fit_slices, predict_slices
from bench.worker.clock import MethodClock
from tests.methods.sam_tiny import sam_method
from tests.methods.test_unet import squares, unet
from tests.methods.tiny import blind, pulled

real = torch.compile


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """torch.compile without a compiler: graphs are traced, counted, and run as they are."""
    sizes: list[int] = []

    def backend(graph: torch.fx.GraphModule, inputs: Any) -> Callable[..., Any]:
        sizes.append(len(graph.graph.nodes))
        return graph.forward

    monkeypatch.setattr(torch, "compile", lambda function: real(function, backend=backend))
    return sizes


def _unet(**changes: Any) -> Any:
    return unet(**changes)


def _hssl(**changes: Any) -> Any:
    return sam_method("hssl", terms="none", width=4, **changes)


def losses(method: Any, steps: int = 3) -> list[float]:
    torch.manual_seed(1)
    return [p.loss for p in pulled(method, [squares()], steps=steps, classes=2) if p.steps]


@pytest.mark.parametrize("make", [_unet, _hssl], ids=lambda make: make.__name__[1:])
def test_the_losses_are_the_same(make: Callable[..., Any], traced: list[int]) -> None:
    expected = losses(make())
    assert not traced
    method = make(compile=True)
    assert losses(method) == pytest.approx(expected, rel=1e-4)
    assert traced
    before = len(traced)
    assert method.predict(blind(squares())).shape == (4, 64, 64)
    assert len(traced) == before  # other shapes would begin anew


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Conv2d(1, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.map(images)


def train(clock: MethodClock, compile: bool = True) -> tuple[nn.Module, list[float]]:
    torch.manual_seed(0)
    network, found = Tiny(), []
    work = fit_slices(
        network,
        torch.optim.SGD(network.parameters(), lr=0.1),
        support=[squares(side=16)],
        canvas=Canvas(16),
        clock=clock,
        recipe=adjusted(SliceRecipe(batch=4, epochs=3, warm_up=1), compile=compile),
        loss=lambda x, y, done: cross_entropy_dice(network(x), y.clamp(max=1)),
        device="cpu",
    )
    clock.start()
    for progress in work:
        clock.stop()
        clock.count(progress)
        found.append(progress.loss)
        if clock.spent:
            break
        clock.start()
    return network, found


def test_the_first_step_pays_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler takes a minute of the clock's time: the clock has it after one step."""
    now = [0.0]

    def backend(graph: torch.fx.GraphModule, inputs: Any) -> Callable[..., Any]:
        now[0] += 60
        return graph.forward

    monkeypatch.setattr(torch, "compile", lambda function: real(function, backend=backend))
    clock = MethodClock(seconds_limit=None, steps_limit=3, now=lambda: now[0])
    seen: list[float] = []
    count = clock.count
    monkeypatch.setattr(clock, "count", lambda p: (count(p), seen.append(clock.seconds)))
    train(clock)
    assert seen == [60, 60, 60]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler: torch.compile untested")
def test_compiled_code_trains_the_same() -> None:
    """On the smallest network that there is: a compiler takes seconds for it."""
    runs = []
    for compile in (False, True):
        clock = MethodClock(seconds_limit=None, steps_limit=None)
        network, found = train(clock, compile)
        runs.append((network, found))
    assert runs[1][1] == pytest.approx(runs[0][1], rel=1e-4)
    given = blind(squares(side=16))
    plain, compiled = (
        predict_slices(network, given, canvas=Canvas(16), device="cpu") for network, _ in runs
    )
    assert (plain == compiled).mean() > 0.999
