"""The next batch is gathered while a GPU works on this one.

On a CPU nothing runs ahead: what gathers would take its cores from what trains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from bench.data.transfer import pinned, to_device


@dataclass(frozen=True)
class Source:
    """How a batch comes about: give it to `fit` as `sample`.

    gather  of what `choose` gave, tensors on the host, small ones at best (float16, uint8). It
            draws nothing at random and reads nothing that the training changes: a thread calls it
    finish  those tensors, on the device -> the batch as the loss takes it: augmented, float32
    choose  indices (batch,) -> what `gather` needs. What is drawn at random on the host, in order
            to know what is gathered, is drawn here
    ahead   whether there is enough to gather for a thread to be worth it
    """

    gather: Callable[[Any], Sequence[Tensor]]
    finish: Callable[..., Sequence[Tensor]]
    choose: Callable[[Tensor], Any] = lambda chosen: chosen
    ahead: bool = True


def at_once(sample: Callable[[Tensor], Sequence[Tensor]]) -> Source:
    """A batch in one step, when it is asked for: its data lie on the device, say."""
    return Source(gather=sample, finish=lambda *tensors: tensors, ahead=False)


def runs_ahead(device: torch.device) -> bool:
    """Beside a GPU alone."""
    return device.type == "cuda"


class Position(Protocol):
    """Where a training stands in its samples."""

    def position(self) -> Any: ...

    def move_to(self, position: Any) -> None: ...


@dataclass(frozen=True, eq=False)
class _Gathered:
    """before, after  states of torch's generator around what was drawn for this batch
    position       of the training once the batch is taken
    """

    before: Tensor
    after: Tensor
    position: Any
    indices: Tensor
    tensors: Future[list[Tensor]]


@dataclass
class Ahead:
    """The batches of a training, one after the other.

    indices  of the next batch; it moves the training's place on
    place    where that is
    threads  whether there is one that gathers

    A batch that was gathered ahead is taken only if torch's generator stands where it stood then.
    So the batches are those that there would be without it, and a training that is stopped between
    two steps, and goes on, draws the same ones.
    """

    source: Source
    device: torch.device
    indices: Callable[[], Tensor]
    place: Position
    threads: bool
    _next: _Gathered | None = None
    _threads: ThreadPoolExecutor | None = field(init=False)

    def __post_init__(self) -> None:
        ahead = self.source.ahead and self.threads
        self._threads = ThreadPoolExecutor(1, "next batch") if ahead else None

    def take(self) -> tuple[Tensor, Sequence[Tensor]]:
        """The next batch: its indices, and what `finish` makes of it."""
        ready, self._next = self._next, None
        if ready is not None and torch.equal(ready.before, torch.get_rng_state()):
            torch.set_rng_state(ready.after)
            self.place.move_to(ready.position)
            indices, tensors = ready.indices, ready.tensors.result()
        else:
            indices = self.indices()
            tensors = list(self.source.gather(self.source.choose(indices)))
        return indices, self.source.finish(*(to_device(each, self.device) for each in tensors))

    def begin(self) -> None:
        """Gather the one after it, in a thread, as if it were asked for now."""
        if self._threads is None:
            return
        before, here = torch.get_rng_state(), self.place.position()
        indices = self.indices()
        plan = self.source.choose(indices)
        after, there = torch.get_rng_state(), self.place.position()
        torch.set_rng_state(before)
        self.place.move_to(here)
        gathering = self._threads.submit(self._gather, plan)
        self._next = _Gathered(before, after, there, indices, gathering)

    def finish(self) -> None:
        """Wait for the thread: it works while the method's clock runs, and not between."""
        if self._next is not None:
            wait([self._next.tensors])

    def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown()

    def _gather(self, plan: Any) -> list[Tensor]:
        return [pinned(each, self.device) for each in self.source.gather(plan)]
