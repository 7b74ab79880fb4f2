"""What a unit ran on, and with which packages."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import psutil

from bench.device import cpu_name
from bench.record.schema import Machine
from bench.unit.spec import Unit

PACKAGES = (
    "sambench",
    "torch",
    "torchvision",
    "segment-anything",
    "sam2",
    "timm",
    "peft",
    "monai",
    "nnunetv2",
    "numpy",
    "scipy",
)


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def describe_machine(
    device: str, threads: int, *, gpu: Mapping[str, Any] | None = None, jobs_per_gpu: int = 1
) -> Machine:
    """No host name, no user: only what a timing depends on. `gpu`: its name and memory, as the
    process says that uses it (bench.unit.device.device_facts); without, it goes by the name that
    was asked for."""
    facts = {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_name(),
        "cores": psutil.cpu_count() or 1,
        "threads": threads,
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "device": "cpu",
        "device_memory_gb": None,
    }
    if device.startswith("cuda"):
        facts |= {"device": device, **(gpu or {})}
    if jobs_per_gpu > 1:
        facts["jobs_per_gpu"] = jobs_per_gpu
    return Machine(fingerprint=fingerprint_of(facts), **facts)


def fingerprint_of(facts: Mapping[str, Any]) -> str:
    """12 hex digits of a machine's other fields; `jobs_per_gpu` is one of them where it is said."""
    said = {name: fact for name, fact in facts.items() if (name, fact) != ("jobs_per_gpu", None)}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]


def machine_of(unit: Unit, gpu: Mapping[str, Any] | None = None) -> Machine:
    """Of where a unit runs; `gpu` as in `describe_machine`."""
    return describe_machine(unit.device, unit.threads, gpu=gpu, jobs_per_gpu=unit.jobs_per_gpu)
