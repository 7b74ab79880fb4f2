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


def describe_machine(device: str, threads: int) -> Machine:
    """No host name, no user: only what a timing depends on."""
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
        import torch

        properties = torch.cuda.get_device_properties(device)
        facts["device"] = properties.name
        facts["device_memory_gb"] = round(properties.total_memory / 2**30)
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return Machine(fingerprint=digest[:12], **facts)
