"""`torch.cuda` as a program sees it: devices, memory, random states, waiting."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from .counting import count
from .machine import MACHINE, choose, current, ordinal, visible
from .memory import MEMORIES
from .randomness import default_of, seed_all
from .tensor import PretendTensor

_started = False


def start(*_: Any) -> None:
    global _started
    if not visible():
        raise RuntimeError("No CUDA GPUs are available")
    _started = True


def properties(device: Any = None) -> SimpleNamespace:
    start()
    number = visible()[ordinal(device)]
    return SimpleNamespace(
        name=f"Pretend GPU {number}",
        major=MACHINE.major,
        minor=MACHINE.minor,
        total_memory=MACHINE.bytes,
        multi_processor_count=108,
        warp_size=32,
        is_integrated=0,
        uuid=f"pretend-{number}",
    )


def synchronize(device: Any = None) -> None:
    ordinal(device)
    count("synchronize")


def get_rng_state(device: Any = "cuda") -> Tensor:
    start()
    return default_of(ordinal(device)).get_state()


def set_rng_state(state: Tensor, device: Any = "cuda") -> None:
    if isinstance(state, PretendTensor):
        raise TypeError("RNG state must be a torch.ByteTensor")
    default_of(ordinal(device)).set_state(state)


def mem_get_info(device: Any = None) -> tuple[int, int]:
    return MACHINE.bytes - MEMORIES[ordinal(device)].now, MACHINE.bytes


def reset_peak_memory_stats(device: Any = None) -> None:
    memory = MEMORIES[ordinal(device)]
    memory.peak = memory.now


def set_fraction(fraction: float, index: int) -> None:
    """The C function below `torch.cuda.set_per_process_memory_fraction`, which stays torch's."""
    MEMORIES[ordinal(index)].fraction = fraction


class Device:
    """`with torch.cuda.device(1):`"""

    def __init__(self, device: Any) -> None:
        self.index = ordinal(device)

    def __enter__(self) -> None:
        self.before = current()
        choose(self.index)

    def __exit__(self, *_: Any) -> None:
        choose(self.before)


class Event:
    """Everything is done when it is asked for."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def record(self, *_: Any) -> None: ...

    def wait(self, *_: Any) -> None: ...

    def query(self) -> bool:
        return True

    def synchronize(self) -> None:
        count("sync")

    def elapsed_time(self, other: Event) -> float:
        return 1.0


class Stream(Event):
    def wait_stream(self, stream: Any) -> None: ...

    def wait_event(self, event: Any) -> None: ...

    def record_event(self, event: Any = None) -> Event:
        return event or Event()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: Any) -> None: ...


def replacements() -> dict[str, Any]:
    """Name in `torch.cuda` -> what stands there from now on."""
    return {
        "_lazy_init": start,
        "init": start,
        "is_available": lambda: len(visible()) > 0,
        "is_initialized": lambda: _started,
        "_is_in_bad_fork": lambda: False,
        "device_count": lambda: len(visible()),
        "current_device": lambda: (start(), current())[1],
        "set_device": lambda device: choose(ordinal(device)),
        "device": Device,
        "get_device_properties": properties,
        "get_device_name": lambda device=None: properties(device).name,
        "get_device_capability": lambda device=None: (
            properties(device).major,
            properties(device).minor,
        ),
        "synchronize": synchronize,
        "mem_get_info": mem_get_info,
        "memory_allocated": lambda device=None: MEMORIES[ordinal(device)].now,
        "memory_reserved": lambda device=None: MEMORIES[ordinal(device)].now,
        "max_memory_allocated": lambda device=None: MEMORIES[ordinal(device)].peak,
        "max_memory_reserved": lambda device=None: MEMORIES[ordinal(device)].peak,
        "reset_peak_memory_stats": reset_peak_memory_stats,
        "empty_cache": lambda: None,
        "manual_seed": lambda seed: default_of(current()).manual_seed(int(seed) % 2**63),
        "manual_seed_all": seed_all,
        "get_rng_state": get_rng_state,
        "set_rng_state": set_rng_state,
        "get_rng_state_all": lambda: [get_rng_state(i) for i in range(len(visible()))],
        "set_rng_state_all": lambda states: [set_rng_state(s, i) for i, s in enumerate(states)],
        "Event": Event,
        "Stream": Stream,
        "stream": lambda stream: stream or Stream(),
        "current_stream": lambda device=None: Stream(),
        "default_stream": lambda device=None: Stream(),
    }


def replace() -> None:
    for name, value in replacements().items():
        setattr(torch.cuda, name, value)
        for part in (torch.cuda.memory, torch.cuda.random, torch.cuda.streams):
            if hasattr(part, name):
                setattr(part, name, value)
    torch._C._cuda_setMemoryFraction = set_fraction
    torch._C._cuda_getMemoryFraction = lambda index: MEMORIES[ordinal(index)].fraction
