"""The `sam2` package, imported without the Hydra set-up that its import would do.

`import sam2` makes its own configuration folder the one of the whole process, unless Hydra is
already set up. Every later compose of ours would then fail or read sam2's files.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from bench.errors import unknown

CONFIGS = "configs/sam2.1"


def sam2_package() -> ModuleType:
    """The package. Hydra's global state is the same before and after."""
    from hydra.core.global_hydra import GlobalHydra

    state = GlobalHydra.instance()
    before = state.hydra
    if before is None:
        state.hydra = cast(Any, object())  # "already set up": the package then leaves it alone
    try:
        return import_module("sam2")
    finally:
        state.hydra = before


def model_config(name: str) -> Any:
    """The `model` part of one of the package's configuration files, as OmegaConf has it."""
    from omegaconf import OmegaConf

    folder = Path(cast(str, sam2_package().__file__)).parent / CONFIGS
    known = sorted(file.name for file in folder.glob("*.yaml"))
    if name not in known:
        raise unknown("configuration of sam2", name, known)
    return OmegaConf.load(folder / name).model
