"""Bytes of each device: what lives, the most that ever did, and the cap."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field

import torch

from .machine import MACHINE

BLOCK = 512
"""The allocator of a real device rounds up to it."""


@dataclass
class Memory:
    """live: address of a storage -> [tensors that hold it, bytes].

    peak     since the statistics were reset
    highest  since the process began
    """

    index: int
    live: dict[int, list[int]] = field(default_factory=dict)
    now: int = 0
    peak: int = 0
    highest: int = 0
    fraction: float = 1.0

    def take(self, address: int, size: int) -> None:
        held = self.live.get(address)
        if held is not None:
            held[0] += 1
            return
        rounded = -(-size // BLOCK) * BLOCK
        limit = int(self.fraction * MACHINE.bytes)
        if self.now + rounded > limit:
            raise torch.OutOfMemoryError(
                f"CUDA out of memory. Tried to allocate {rounded / 2**20:.2f} MiB. GPU {self.index}"
                f" has a total capacity of {MACHINE.gigabytes:.2f} GiB of which "
                f"{max(0, limit - self.now) / 2**20:.2f} MiB is free."
            )
        self.live[address] = [1, rounded]
        self.now += rounded
        self.peak = max(self.peak, self.now)
        self.highest = max(self.highest, self.now)

    def give(self, address: int) -> None:
        held = self.live[address]
        held[0] -= 1
        if held[0] == 0:
            self.now -= held[1]
            del self.live[address]


class _Memories(defaultdict[int, Memory]):
    def __missing__(self, index: int) -> Memory:
        self[index] = Memory(index)
        return self[index]


MEMORIES = _Memories()
_lock = threading.RLock()


class Share:
    """One tensor's hold on its storage; it ends with the tensor."""

    __slots__ = ("address", "index")

    def __init__(self, inner: torch.Tensor, index: int) -> None:
        storage = inner.untyped_storage()
        self.index, self.address = index, 0
        if storage.nbytes():
            with _lock:
                MEMORIES[index].take(storage.data_ptr(), storage.nbytes())
            self.address = storage.data_ptr()

    def __del__(self) -> None:
        if self.address:
            with _lock:
                MEMORIES[self.index].give(self.address)
