"""What a real device refuses."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .machine import MACHINE
from .tensor import PretendTensor

INDEXING = {
    "aten::index",
    "aten::index_put",
    "aten::index_put_",
    "aten::_index_put_impl_",
    "aten::_unsafe_index",
    "aten::_unsafe_index_put",
}
PRODUCTS = {
    "aten::mm",
    "aten::bmm",
    "aten::addmm",
    "aten::baddbmm",
    "aten::mv",
    "aten::dot",
    "aten::addmv",
    "aten::convolution",
    "aten::linear",
    "aten::matmul",
}
NO_INTEGERS = PRODUCTS | {
    "aten::max_pool2d_with_indices",
    "aten::max_pool3d_with_indices",
    "aten::avg_pool2d",
    "aten::_adaptive_avg_pool2d",
    "aten::upsample_bilinear2d",
    "aten::_upsample_bilinear2d_aa",
    "aten::upsample_bicubic2d",
    "aten::grid_sampler_2d",
    "aten::_softmax",
    "aten::_log_softmax",
}
ONE_NUMBER_OF_THE_HOST = ("aten::where", "aten::masked_fill", "aten::fill", "aten::pow")


def check_devices(func: Any, name: str, args: tuple[Any, ...], flat: list[Any]) -> bool:
    """Raises where an operation mixes devices as none may. True: a number of the host is copied."""
    shells = [value for value in flat if isinstance(value, PretendTensor)]
    host = [v for v in flat if isinstance(v, Tensor) and not isinstance(v, PretendTensor)]
    devices = sorted({str(shell.device) for shell in shells} | {"cpu" for _ in host})
    if len(devices) < 2:
        return False
    if len({shell.device for shell in shells}) == 1:
        if name in INDEXING:
            if not isinstance(args[0], PretendTensor):
                raise RuntimeError(
                    "indices should be either on cpu or on the same device as the indexed tensor "
                    "(cpu)"
                )
            # Indices may come from the host, and so may a single number that is written.
            written = [v for v in args[2:] if any(v is each for each in host)]
            if all(value.dim() == 0 for value in written):
                return True
        elif all(value.dim() == 0 for value in host) and _takes_a_number(func, name, args):
            return False
    raise RuntimeError(
        "Expected all tensors to be on the same device, but found at least two devices, "
        f"{' and '.join(devices[:2])}! (when checking arguments of {name})"
    )


def _takes_a_number(func: Any, name: str, args: tuple[Any, ...]) -> bool:
    """A 0-d tensor of the host goes along as a number, unless it is what is written to."""
    writes = name.endswith("_") and not name.endswith("__")
    first = args[0] if args else None
    if writes and isinstance(first, Tensor) and not isinstance(first, PretendTensor):
        return False
    pointwise = torch.Tag.pointwise in func.tags
    return pointwise or name.startswith((*ONE_NUMBER_OF_THE_HOST, "aten::_foreach"))


def check_dtypes(name: str, shells: list[PretendTensor]) -> None:
    """Kernels that CUDA has for no integers, or not for this capability."""
    if name not in NO_INTEGERS or not shells:
        return
    dtype = shells[0].dtype
    if not (dtype.is_floating_point or dtype.is_complex):
        raise RuntimeError(f"\"{name[6:]}_cuda\" not implemented for '{dtype}'")
    if dtype == torch.bfloat16 and MACHINE.major < 8 and name in PRODUCTS:
        raise RuntimeError(
            f"{name[6:]}: bfloat16 needs compute capability 8.0, and this GPU has "
            f"{MACHINE.major}.{MACHINE.minor}"
        )
