"""Energy that an NVIDIA GPU has used, in joules, from its own counter: NVML, by ctypes.

NVML counts millijoules of a whole card since the driver was loaded (cards of Volta and later). What
a unit used is the difference of two readings, and only where nothing else ran on the card.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psutil

LIBRARY = "libnvidia-ml.so.1"
SUCCESS = 0
MOST_PROCESSES = 64


class _Process(ctypes.Structure):
    """nvmlProcessInfo_t of nvmlDeviceGetComputeRunningProcesses_v3."""

    _fields_ = (
        ("pid", ctypes.c_uint),
        ("usedGpuMemory", ctypes.c_ulonglong),
        ("gpuInstanceId", ctypes.c_uint),
        ("computeInstanceId", ctypes.c_uint),
    )


class NoCounterError(Exception):
    """Why there is no reading: no driver, an old card, a card that NVML does not find."""


def load_nvml(path: str = LIBRARY) -> Any:
    try:
        return ctypes.CDLL(path)
    except OSError as error:
        raise NoCounterError(f"no NVML: {error}") from None


@dataclass(frozen=True)
class Counter:
    """One card's counter. `open_counter` makes one."""

    nvml: Any
    device: Any

    def joules(self) -> float:
        """Since the driver was loaded."""
        used = ctypes.c_ulonglong()
        _call(self.nvml, "nvmlDeviceGetTotalEnergyConsumption", self.device, ctypes.byref(used))
        return used.value / 1000

    def processes(self) -> list[int]:
        """Ids of those that compute on the card, as the host counts them."""
        found = (_Process * MOST_PROCESSES)()
        count = ctypes.c_uint(MOST_PROCESSES)
        name = "nvmlDeviceGetComputeRunningProcesses_v3"
        _call(self.nvml, name, self.device, ctypes.byref(count), found)
        return [process.pid for process in found[: count.value]]


def open_counter(device: str, *, uuid: str | None = None, nvml: Any = None) -> Counter:
    """device  as torch names it, "cuda" or "cuda:1", among those of CUDA_VISIBLE_DEVICES
    uuid    as torch's device properties have it, where they were asked: sure to be the right card
    """
    nvml = load_nvml() if nvml is None else nvml
    _call(nvml, "nvmlInit_v2")
    name = physical(device, os.environ) if uuid is None else f"GPU-{uuid.removeprefix('GPU-')}"
    counter = Counter(nvml, _handle(nvml, name))
    counter.joules()  # a card of before Volta has none: known here, not at a unit's end
    return counter


class EnergyMeter:
    """Energy from now on, of a device that may have no counter."""

    def __init__(self, device: str, *, uuid: str | None = None, nvml: Any = None) -> None:
        """`missing` says why there will be no figure."""
        self.missing = ""
        if not device.startswith("cuda"):
            self.missing = "a CPU has no such counter"
            return
        try:
            self._counter = open_counter(device, uuid=uuid, nvml=nvml)
            self._before = self._counter.joules()
            if _strangers(self._counter.processes()):
                self.missing = "another process computed on the GPU"
        except NoCounterError as error:
            self.missing = str(error)

    def joules(self) -> float | None:
        """Used since, or None where that cannot be told, or other work had a part in it."""
        if self.missing:
            return None
        try:
            processes = self._counter.processes()
            used = self._counter.joules() - self._before
        except NoCounterError as error:
            self.missing = str(error)
            return None
        # In a container our own process goes by the host's id, which nobody here knows.
        unknown = len(_strangers(processes))
        if unknown > (1 if unknown == len(processes) else 0):
            self.missing = "another process computed on the GPU"
            return None
        if used < 0:
            self.missing = "the driver was loaded anew"
            return None
        return used


def _strangers(processes: list[int]) -> list[int]:
    """Those that are not this process, nor started by it."""
    ours = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
    return [pid for pid in processes if pid not in ours]


def physical(device: str, environment: Mapping[str, str]) -> str:
    """The card's index as NVML counts, or its UUID: "cuda:1" of CUDA_VISIBLE_DEVICES=3,5 is "5".

    NVML counts by the PCI bus, CUDA by speed unless CUDA_DEVICE_ORDER says PCI_BUS_ID; the two
    agree where all cards are of one kind. Where they are not, only the UUID tells.
    """
    index = int(device.partition(":")[2] or 0)
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return str(index)
    names = [name.strip() for name in visible.split(",")]
    if index >= len(names) or not names[index]:
        raise NoCounterError(f"{device} is not among CUDA_VISIBLE_DEVICES={visible}")
    if names[index].startswith("MIG-"):
        raise NoCounterError("a MIG slice has no counter of its own")
    return names[index]


def _handle(nvml: Any, name: str) -> Any:
    handle = ctypes.c_void_p()
    if name.isdigit():
        _call(nvml, "nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(int(name)), ctypes.byref(handle))
    else:
        _call(nvml, "nvmlDeviceGetHandleByUUID", name.encode(), ctypes.byref(handle))
    return handle


def _call(nvml: Any, name: str, *arguments: Any) -> None:
    try:
        function = getattr(nvml, name)
    except AttributeError:
        raise NoCounterError(f"this driver's NVML has no {name}") from None
    code = function(*arguments)
    if code != SUCCESS:
        raise NoCounterError(f"{name}: NVML error {code}")
