"""Whether this machine has NVIDIA's driver, seen without torch."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

NO_GPU = "there is none, or CUDA_VISIBLE_DEVICES hides it"


def driver_of_gpus() -> str | None:
    """What shows that there is one; None where nothing does. A container may hold another device
    file than the first one, and may lack the driver's tools."""
    for path in ("/proc/driver/nvidia/version", "/dev/dxg"):
        if Path(path).exists() and (path != "/dev/dxg" or shutil.which("nvidia-smi")):
            return path
    try:
        devices = sorted(n for n in os.listdir("/dev") if re.fullmatch(r"nvidia\d+", n))
    except OSError:
        devices = []
    if devices:
        return f"/dev/{devices[0]}"
    return "nvidia-smi" if shutil.which("nvidia-smi") else None


def gpus_are_hidden() -> bool:
    """The environment says that this process is to see none: that is a wish, and no fault."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1", "NoDevFiles")
