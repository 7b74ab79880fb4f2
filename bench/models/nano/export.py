"""Shipped weights: half-precision safetensors beside this file."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bench.models.nano.networks import BUILDERS

WEIGHTS = Path(__file__).parent / "weights"


def export(which: str, task: nn.Module, path: Path) -> None:
    """Write the task's network as float16; a value that float16 cannot hold is refused."""
    network = task.network
    assert isinstance(network, nn.Module)
    half: dict[str, Tensor] = {}
    for name, value in network.state_dict().items():
        half[name] = value.detach().cpu().to(torch.float16).contiguous()
        if not torch.isfinite(half[name]).all():
            raise ValueError(f"{which}: {name} has a value that float16 cannot hold")
    path.parent.mkdir(parents=True, exist_ok=True)
    # One entry alone: the library writes several in any order, and equal weights then differ.
    save_file(half, path, metadata={"network": which})
    path.chmod(0o644)  # the library writes for its owner alone; shipped files are for everyone


def load(which: str, path: Path | None = None) -> nn.Module:
    """A nano network with its shipped weights (or those at `path`), float32, evaluation mode."""
    network = BUILDERS[which]()
    values = load_file(path or WEIGHTS / f"{which}.safetensors")
    network.load_state_dict({name: value.float() for name, value in values.items()}, strict=True)
    return network.eval()
