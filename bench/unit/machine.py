"""What a unit ran on, and with which packages."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version

import psutil

from bench.device import cpu_name
from bench.record.schema import Machine

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
    device: str, threads: int, *, look: bool = True, jobs_per_gpu: int = 1
) -> Machine:
    """No host name, no user: only what a timing depends on. `look`: False where the GPU of this
    machine may be another one than the unit's."""
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
        facts["device"], facts["device_memory_gb"] = _gpu(device) if look else (device, None)
    if jobs_per_gpu > 1:
        facts["jobs_per_gpu"] = jobs_per_gpu
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return Machine(fingerprint=digest[:12], **facts)


def _gpu(device: str) -> tuple[str, int | None]:
    """Its name and GB. One that does not answer goes by the name that was asked for: why it does
    not is what the unit itself meets, and what its record says."""
    import torch

    try:
        properties = torch.cuda.get_device_properties(device)
    except Exception:  # torch and its driver let out all sorts
        return device, None
    return properties.name, round(properties.total_memory / 2**30)
