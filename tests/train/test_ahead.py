"""The next batch gathered by a thread: the same batches, the same weights, and not while the clock
stands."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.contract import Progress
from bench.data.slices import Canvas, labelled_slices
from bench.train import fit as fitting
from bench.train import slicewise
from bench.train.ahead import Source, runs_ahead
from bench.train.fit import FitPlan, fit
from bench.worker.clock import MethodClock
from tests.train.starts import Start, StoppedError
from tests.unit.conftest import drawn

STEPS = 11
MAIN = threading.main_thread().name


class Training:
    """Eleven steps on eleven points, noise chosen on the host and added on the device. It keeps who
    gathered what, and whether that was done when a step ended."""

    def __init__(self, *, seed: int | None = None, draws: bool = False) -> None:
        """draws: the loss draws from the host's generator, too."""
        self.seed, self.draws = seed, draws
        self.x = torch.linspace(-1, 1, 33).reshape(11, 3)
        self.y = self.x.sum(dim=1, keepdim=True).sin()
        self.gathered: list[tuple[str, list[int]]] = []
        self.trained: list[list[float]] = []
        self.idle: list[bool] = []
        self.busy = threading.Lock()

    def choose(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        return chosen, 0.1 * torch.randn(len(chosen), 3)

    def gather(self, plan: tuple[Tensor, Tensor]) -> Sequence[Tensor]:
        with self.busy:
            chosen, noise = plan
            self.gathered.append((threading.current_thread().name, chosen.tolist()))
            return self.x[chosen], noise, self.y[chosen]

    def finish(self, x: Tensor, noise: Tensor, y: Tensor) -> Sequence[Tensor]:
        return x + noise + 0.01 * torch.randn(len(x), 3), y

    def run(self, folder: Path | None = None, *, stop: int = 0, micro: int | None = None) -> Tensor:
        start = Start(folder, STEPS)
        clock, random = start.clock, start.random
        with random.use():
            network = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
        optimiser = torch.optim.AdamW(network.parameters(), lr=0.05)

        def loss(inputs: Tensor, targets: Tensor) -> Tensor:
            self.trained.append(targets.flatten().tolist())
            scale = 1 + 0.1 * torch.rand(()) if self.draws else 1
            return scale * (network(inputs) - targets).square().mean()

        def watched(work: Any) -> Any:
            for progress in work:
                self.idle.append(self.busy.acquire(blocking=False))
                if self.idle[-1]:
                    self.busy.release()
                yield progress

        work = fit(
            network,
            optimiser,
            clock=clock,
            plan=FitPlan(batch=4, epochs=100, fill=True, seed=self.seed, micro=micro),
            count=len(self.x),
            sample=Source(choose=self.choose, gather=self.gather, finish=self.finish),
            loss=loss,
            rate=lambda: 1.0,
            device="cpu",
            keeps={},
        )
        start.pull(watched(work), stop)
        return torch.cat([p.detach().flatten() for p in network.parameters()])


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """As beside a GPU."""
    return lambda: monkeypatch.setattr(fitting, "runs_ahead", lambda device: True)


@pytest.mark.parametrize("seed", [None, 7])
def test_the_same_weights_and_all_but_the_first_batch_ahead(
    threads: Callable[[], None], seed: int | None
) -> None:
    """Over the ends of epochs, three steps each, whose order is drawn when they begin."""
    plain = Training(seed=seed)
    expected = plain.run()
    assert {name for name, _ in plain.gathered} == {MAIN}
    threads()
    ahead = Training(seed=seed)
    assert torch.equal(ahead.run(), expected)
    assert ahead.trained == plain.trained
    names = [name for name, _ in ahead.gathered]
    assert names[0] == MAIN
    assert MAIN not in names[1:]
    assert [at for _, at in ahead.gathered][:STEPS] == [at for _, at in plain.gathered]
    assert all(ahead.idle)


def test_the_thread_is_idle_while_the_clock_stands(threads: Callable[[], None]) -> None:
    """A gathering that takes longer than the step is waited for before the step is reported."""
    threads()
    training = Training()
    slowly, waiting = training.gather, threading.Event()

    def gather(plan: tuple[Tensor, Tensor]) -> Sequence[Tensor]:
        with training.busy:
            waiting.wait(0.03)
        return slowly(plan)

    training.gather = gather  # type: ignore[method-assign]
    training.run()
    assert training.idle == [True] * STEPS
    assert not [t for t in threading.enumerate() if t.name.startswith("next batch")]


@pytest.mark.parametrize("stops", [(1,), (3,), (2, 6, 2)])
@pytest.mark.parametrize("seed", [None, 7])
def test_a_stopped_training_draws_the_same_again(
    tmp_path: Path, threads: Callable[[], None], stops: tuple[int, ...], seed: int | None
) -> None:
    """What was gathered ahead is lost and nothing else: the place and the random numbers are those
    of the step that was reported."""
    expected = Training(seed=seed).run()
    threads()
    for stop in stops:
        with pytest.raises(StoppedError):
            Training(seed=seed).run(tmp_path, stop=stop)
    assert torch.equal(Training(seed=seed).run(tmp_path), expected)


def test_a_loss_that_draws_on_the_host_loses_the_speed_and_nothing_else(
    threads: Callable[[], None],
) -> None:
    expected = Training(draws=True).run()
    threads()
    ahead = Training(draws=True)
    assert torch.equal(ahead.run(), expected)
    assert [name for name, _ in ahead.gathered if name == MAIN] == [MAIN] * STEPS


def test_what_fails_in_the_thread_is_said_in_the_training(threads: Callable[[], None]) -> None:
    threads()
    training = Training()
    first = training.gather

    def gather(plan: tuple[Tensor, Tensor]) -> Sequence[Tensor]:
        if training.gathered:
            raise OSError("no such slice")
        return first(plan)

    training.gather = gather  # type: ignore[method-assign]
    with pytest.raises(OSError, match=r"^no such slice$"):
        training.run()
    assert len(training.idle) == 1


def test_a_size_that_was_halved_meanwhile_stays_halved(threads: Callable[[], None]) -> None:
    threads()
    training = Training()
    seen: list[int] = []
    full = torch.OutOfMemoryError("CUDA out of memory")
    finish = training.finish

    def tight(x: Tensor, noise: Tensor, y: Tensor) -> Sequence[Tensor]:
        return finish(x, noise, y)

    training.finish = tight  # type: ignore[method-assign]
    network = nn.Linear(3, 1)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        seen.append(len(x))
        if len(x) > 2:
            raise full
        return (network(x) - y).square().mean()

    work = fit(
        network,
        torch.optim.SGD(network.parameters(), lr=0.1),
        clock=MethodClock(seconds_limit=None, steps_limit=3),
        plan=FitPlan(batch=4, epochs=1),
        count=11,
        sample=Source(choose=training.choose, gather=training.gather, finish=training.finish),
        loss=loss,
        rate=lambda: 1.0,
        device="cpu",
    )
    reports: list[Progress] = [next(work), next(work), next(work)]
    work.close()  # type: ignore[attr-defined]
    assert len(reports) == 3
    assert seen == [4] + [2] * 6


def test_only_a_gpu_has_its_batches_ahead() -> None:
    assert runs_ahead(torch.device("cuda"))
    assert runs_ahead(torch.device("cuda:1"))
    assert not runs_ahead(torch.device("cpu"))


@pytest.mark.parametrize("near", [True, False])
def test_slices_lie_on_the_device_where_they_fit(
    monkeypatch: pytest.MonkeyPatch, near: bool
) -> None:
    """By their measured size, in half precision; on a CPU they stay what they are."""
    asked: list[int] = []

    def fits(size: int, device: torch.device) -> bool:
        asked.append(size)
        return near

    monkeypatch.setattr(slicewise, "fits", fits)
    monkeypatch.setattr(slicewise, "to_device", lambda tensor, device: tensor)
    data = labelled_slices([drawn(0)], Canvas(16))
    whole = slicewise.slices_for(data, lambda x, y: (x, y), torch.device("cpu"))
    chosen = torch.tensor([1, 0])
    assert not whole.ahead
    assert not asked
    images, labels = whole.finish(*whole.gather(chosen))
    assert torch.equal(images, data.images[chosen])

    source = slicewise.slices_for(data, lambda x, y: (x, y), torch.device("cuda"))
    assert source.ahead is not near
    assert asked == [len(data) * 16 * 16 * (2 + 1)]
    halved, same = source.finish(*source.gather(chosen))
    assert halved.dtype == torch.float32
    assert torch.equal(halved, images.half().float())
    assert torch.equal(same, labels)
    if not near:
        assert [x.dtype for x in source.gather(chosen)] == [torch.float16, torch.uint8]
