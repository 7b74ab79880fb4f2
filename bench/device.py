"""Which device a run uses, and what CPU there is. torch is imported only where a GPU may be."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from bench.driver import NO_GPU, driver_of_gpus, gpus_are_hidden
from bench.errors import RequestError
from bench.gpus import arch_problem, gpu_list, torch_problem


def resolve_device(given: str) -> str:
    """ "auto" is a CUDA device where there is one, else the CPU. A GPU that torch cannot use is an
    error: hours on a CPU are what nobody with a GPU has asked for."""
    if given == "cpu":
        return "cpu"
    found = driver_of_gpus()
    if given == "auto" and (found is None or gpus_are_hidden()):
        return "cpu"
    check_device_word(given)
    import torch

    if not torch.cuda.is_available():
        problem = torch_problem() if found and not gpus_are_hidden() else NO_GPU
        there = f"there is an NVIDIA driver ({found}), but " if given == "auto" else ""
        raise RequestError(
            f"device={given}: {there}torch {torch.__version__} sees no CUDA device here: "
            f"{problem}; device=cpu runs on the CPU"
        )
    index = int(given.partition(":")[2] or 0)
    if index >= torch.cuda.device_count():
        raise RequestError(f"device={given}: there is no such GPU here; there are {gpu_list()}")
    for number in [index] if ":" in given else range(torch.cuda.device_count()):
        lacking = arch_problem(number)
        if lacking is not None:
            raise RequestError(f"device={given}: {lacking}; device=cpu runs on the CPU")
    return "cuda" if given == "auto" else given


def check_device_word(given: str) -> None:
    """auto, cpu, cuda or cuda:N; whatever is here."""
    if given in ("auto", "cpu", "cuda") or re.fullmatch(r"cuda:\d{1,3}", given):
        return
    there = "" if gpus_are_hidden() or driver_of_gpus() is None else f"; there are {gpu_list()}"
    raise RequestError(
        f"device={given}: it is auto, cpu, cuda, or one GPU by its number, as cuda:0{there}"
    )


def cpu_name() -> str:
    """The processor as the system calls it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Cores that this process may use: a container or a cluster's job often has a part of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
