"""The fit loop against loops written out by hand, and against the U-Net's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.contract import Progress
from bench.train.fit import FitPlan, fit
from bench.train.order import batches
from bench.train.precision import autocast
from bench.worker.clock import MethodClock


def pull(work: Iterator[Progress], clock: MethodClock) -> list[Progress]:
    reports = []
    for progress in work:
        clock.count(progress)
        reports.append(progress)
        if clock.spent:
            break
    return reports


def points(count: int = 12) -> tuple[Tensor, Tensor]:
    """A line with noise: (count, 3), (count, 1)."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, 3, generator=generator)
    noise = 0.1 * torch.randn(count, 1, generator=generator)
    return x, x @ torch.tensor([[1.0], [-2.0], [0.5]]) + noise


def line(dropout: float = 0.0) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(3, 1))


def squares_loss(network: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
    def loss(x: Tensor, y: Tensor) -> Tensor:
        return ((network(x) - y) ** 2).mean()

    return loss


def run(
    network: nn.Module,
    plan: FitPlan,
    *,
    steps: int | None = None,
    loss: Callable[..., Tensor] | None = None,
    optimiser: torch.optim.Optimizer | None = None,
    rate: Callable[[], float] = lambda: 1.0,
) -> list[Progress]:
    x, y = points()
    clock = MethodClock(seconds_limit=None, steps_limit=steps)
    work = fit(
        network,
        optimiser or torch.optim.SGD(network.parameters(), lr=0.1),
        clock=clock,
        plan=plan,
        count=len(x),
        sample=lambda chosen: (x[chosen], y[chosen]),
        loss=loss or squares_loss(network),
        rate=rate,
        device="cpu",
    )
    return pull(work, clock)


def weights(network: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_it_is_the_loop_written_out() -> None:
    network, other = line(), line()
    rates = iter([0.5, 1.0, 0.25, 0.1])
    plan = FitPlan(batch=5, epochs=2, clip=0.3, seed=7)
    reports = run(network, plan, rate=lambda: next(rates))

    x, y = points()
    order = torch.Generator().manual_seed(7)
    losses = []
    for factor, epoch in zip([0.5, 1.0, 0.25, 0.1], [0, 0, 1, 1], strict=True):
        if len(losses) % 2 == 0:
            chosen = torch.randperm(12, generator=order)[:10].split(5)
        at = chosen[len(losses) - 2 * epoch]
        value = ((other(x[at]) - y[at]) ** 2).mean()
        gradients = torch.autograd.grad(value, list(other.parameters()))
        norm = torch.cat([g.flatten() for g in gradients]).norm()
        with torch.no_grad():
            for parameter, gradient in zip(other.parameters(), gradients, strict=True):
                parameter -= 0.1 * factor * gradient * min(1.0, 0.3 / (norm + 1e-6))
        losses.append(value.item())
    assert torch.allclose(weights(network), weights(other), atol=1e-6)
    assert [r.loss for r in reports] == pytest.approx(losses, rel=1e-5)
    assert [(r.steps, r.samples, r.epoch) for r in reports] == [(1, 5, False), (1, 5, True)] * 2


@pytest.mark.parametrize("micro", [1, 2, 3, 5, 8])
def test_parts_of_a_batch_are_the_batch(micro: int) -> None:
    """Unequal parts count by their samples."""
    whole, parts = line(), line()
    seen: list[int] = []

    def loss(x: Tensor, y: Tensor) -> Tensor:
        seen.append(len(x))
        return squares_loss(parts)(x, y)

    one = run(whole, FitPlan(batch=8, epochs=3, seed=0))
    two = run(parts, FitPlan(batch=8, epochs=3, seed=0, micro=micro), loss=loss)
    assert torch.allclose(weights(whole), weights(parts), atol=1e-6)
    assert [r.loss for r in two] == pytest.approx([r.loss for r in one], rel=1e-5)
    assert max(seen) == micro
    assert sum(seen) == 3 * 8


def test_each_group_has_its_own_rate() -> None:
    network = line()
    linear = network[1]
    assert isinstance(linear, nn.Linear)
    groups = [{"params": [linear.weight], "lr": 0.2}, {"params": [linear.bias], "lr": 0.0}]
    optimiser = torch.optim.SGD(groups, lr=0.5)
    bias, used = linear.bias.detach().clone(), []

    def rate() -> float:
        used.append([group["lr"] for group in optimiser.param_groups])
        return 0.5

    before = linear.weight.detach().clone()
    run(network, FitPlan(batch=12, epochs=3), optimiser=optimiser, rate=rate)
    assert torch.equal(linear.bias, bias)
    assert not torch.equal(linear.weight, before)
    assert used == [[0.2, 0.0], [0.1, 0.0], [0.1, 0.0]]  # of the base, not of the last


def test_the_order_is_the_seeds_alone() -> None:
    def order(seed: int | None, noise: int) -> list[Tensor]:
        torch.manual_seed(noise)
        seen: list[Tensor] = []
        clock = MethodClock(seconds_limit=None, steps_limit=6)
        network = line()
        torch.manual_seed(noise)

        def sample(chosen: Tensor) -> tuple[Tensor, ...]:
            seen.append(chosen)
            return points()[0][chosen], points()[1][chosen]

        work = fit(
            network,
            torch.optim.SGD(network.parameters(), lr=0.1),
            clock=clock,
            plan=FitPlan(batch=4, epochs=1, seed=seed),
            count=12,
            sample=sample,
            loss=squares_loss(network),
            rate=lambda: 1.0,
            device="cpu",
        )
        pull(work, clock)
        return seen

    def same(a: list[Tensor], b: list[Tensor]) -> bool:
        return torch.equal(torch.stack(a), torch.stack(b))

    assert same(order(3, 0), order(3, 1))
    assert not same(order(3, 0), order(4, 0))
    assert same(order(None, 0), order(None, 0))
    assert not same(order(None, 0), order(None, 1))
    passes = torch.stack(order(3, 0)).reshape(2, 12)
    assert passes.sort(dim=1).values.tolist() == [list(range(12))] * 2
    assert not torch.equal(passes[0], passes[1])


def test_an_epoch_is_one_pass() -> None:
    plan = FitPlan(batch=8, epochs=2)
    assert (plan.batch_of(3), plan.steps(3), plan.recipe_steps(3)) == (3, 1, 2)
    assert (plan.batch_of(100), plan.steps(100)) == (8, 12)
    assert [len(b) for b in batches(10, batch=4, steps=5)] == [4] * 5
    assert torch.cat(list(batches(10, batch=4, steps=5))).bincount().tolist() == [2] * 10


@pytest.mark.parametrize(
    ("count", "batch", "left_out", "filled"),
    [(2211, 24, 92, 93), (221, 16, 13, 14), (58, 16, 3, 4), (48, 16, 3, 3), (5, 16, 1, 1)],
)
def test_what_is_left_over_may_fill_one_more_batch(
    count: int, batch: int, left_out: int, filled: int
) -> None:
    """93, 14 and 4 steps an epoch are those of published runs."""
    assert FitPlan(batch=batch, epochs=1).steps(count) == left_out
    plan = FitPlan(batch=batch, epochs=3, fill=True)
    assert (plan.steps(count), plan.recipe_steps(count)) == (filled, 3 * filled)
    sizes = [len(b) for b in batches(count, batch=plan.batch_of(count), steps=filled)]
    assert set(sizes) == {min(batch, count)}


def test_a_budget_goes_on_beyond_the_recipe_and_ends_before_it() -> None:
    assert len(run(line(), FitPlan(batch=4, epochs=2))) == 6
    assert len(run(line(), FitPlan(batch=4, epochs=2), steps=20)) == 20
    assert len(run(line(), FitPlan(batch=4, epochs=2), steps=4)) == 4


def test_it_is_put_back_into_training_mode() -> None:
    network = line()
    x, y = points()
    clock = MethodClock(seconds_limit=None, steps_limit=3)
    modes = []

    def loss(x: Tensor, y: Tensor) -> Tensor:
        modes.append(network.training)
        return squares_loss(network)(x, y)

    for progress in fit(
        network,
        torch.optim.SGD(network.parameters(), lr=0.1),
        clock=clock,
        plan=FitPlan(batch=4, epochs=1),
        count=12,
        sample=lambda chosen: (x[chosen], y[chosen]),
        loss=loss,
        rate=lambda: 1.0,
        device="cpu",
    ):
        clock.count(progress)
        network.eval()
        if clock.spent:
            break
    assert modes == [True] * 3


def test_a_loss_that_is_no_number_ends_it() -> None:
    network = line()
    before = weights(network)
    values = iter([1.0, float("nan")])
    with pytest.raises(FloatingPointError, match=r"^the loss is nan at step 2$"):
        run(
            network,
            FitPlan(batch=4, epochs=1),
            loss=lambda x, y: squares_loss(network)(x, y) * next(values),
        )
    assert torch.isfinite(weights(network)).all()
    assert not torch.equal(weights(network), before)


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_the_forward_pass_is_in_that_precision(precision: Any, dtype: torch.dtype) -> None:
    network, seen = line(), []

    def loss(x: Tensor, y: Tensor) -> Tensor:
        output = network(x)
        seen.append(output.dtype)
        return ((output.float() - y) ** 2).mean()

    reports = run(network, FitPlan(batch=12, epochs=40, precision=precision), loss=loss)
    assert set(seen) == {dtype}
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    first, last = reports[0].loss, reports[-1].loss
    assert first is not None
    assert last is not None
    assert last < 0.1 * first
    with autocast("fp32", "cpu"):
        assert network(points()[0]).dtype == torch.float32


def test_the_rate_knows_the_clock() -> None:
    """A schedule asks the clock, which the harness moves between two steps."""
    clock = MethodClock(seconds_limit=None, steps_limit=10)
    x, y = points()
    network = line()
    asked = []

    def rate() -> float:
        asked.append(clock.fraction)
        return 1.0

    work = fit(
        network,
        torch.optim.SGD(network.parameters(), lr=0.1),
        clock=clock,
        plan=FitPlan(batch=12, epochs=1),
        count=12,
        sample=lambda chosen: (x[chosen], y[chosen]),
        loss=squares_loss(network),
        rate=rate,
        device="cpu",
    )
    pull(work, clock)
    assert asked == pytest.approx([i / 10 for i in range(10)])
