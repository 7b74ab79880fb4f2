"""What a network computes in, by device."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from bench.errors import RequestError
from bench.train.half_speed import warn_where_bf16_is_slow

Resolved = Literal["fp32", "bf16", "fp16"]
Precision = Literal["auto"] | Resolved
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def resolve_precision(given: Precision, device: torch.device | str) -> Resolved:
    """ "auto" is bf16 on a GPU that has it, fp16 on another one, fp32 on a CPU; by what the device
    is and never by how fast it happens to be, so that a request means the same each time."""
    cuda = torch.device(device).type == "cuda"
    if given == "auto":
        if not cuda:
            return "fp32"
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if given not in ("fp32", *DTYPES):
        raise RequestError(f"precision={given}: it is one of auto, fp32, bf16, fp16")
    if given == "bf16" and torch.device(device).type == "cpu":
        warn_where_bf16_is_slow()
    if given == "fp16" and not cuda:
        raise RequestError("precision=fp16 needs a GPU: take fp32 or bf16 on a CPU")
    return given


def autocast(precision: str, device: torch.device | str) -> AbstractContextManager[object]:
    """The context of a forward pass in a resolved precision."""
    kind = torch.device(device).type
    if kind == "cuda":
        float32_is_float32()
    if not torch.amp.is_autocast_available(kind):  # "meta": shapes without numbers
        return nullcontext()
    return torch.autocast(kind, DTYPES.get(precision, torch.bfloat16), enabled=precision != "fp32")


def float32_is_float32() -> None:
    """No TF32, neither in matrix products nor in convolutions, where torch allows it by itself.

    fp32 means fp32. Under bf16 and fp16 the network's own products are not float32 at all; what
    is (losses, similarities) would be back at ten bits, which is why it is float32.
    """
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
