"""Operations on the numbers themselves: what CUDA has and the CPU lacks is put together here."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

aten = torch.ops.aten
HALVES = (torch.float16, torch.bfloat16)


def run(func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`func` on ordinary tensors, as a device would work it out."""
    if name == "aten::_fused_sdp_choice":
        return 0  # the plain way, from products and a softmax
    if name in ("aten::_softmax", "aten::_log_softmax") and args[2]:
        return func(args[0].float(), args[1], False)  # half in, float out: CUDA alone has it
    if name in ("aten::_softmax_backward_data", "aten::_log_softmax_backward_data"):
        gradient, output, dim, dtype = args
        return func(gradient, output, dim, gradient.dtype).to(dtype)
    try:
        return func(*args, **kwargs)
    except (RuntimeError, NotImplementedError) as error:
        if "DefaultCPUAllocator" in str(error):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate more.") from None
        if "not implemented for 'Half'" not in str(error) and "'BFloat16'" not in str(error):
            raise
    return _in_float(func, args, kwargs)


def _in_float(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A kernel that the CPU has in fp32 alone; its results are rounded as the device's are."""
    halves = [v.dtype for v in args if isinstance(v, Tensor) and v.dtype in HALVES]

    def widened(value: Any) -> Any:
        return value.float() if isinstance(value, Tensor) and value.dtype in HALVES else value

    def rounded(value: Any) -> Any:
        is_float = isinstance(value, Tensor) and value.dtype == torch.float32
        return value.to(halves[0]) if is_float else value

    if func._schema.is_mutable:
        raise NotImplementedError(f"pretend CUDA: {func} in half precision writes in place")
    return tree_map(rounded, func(*tree_map(widened, args), **kwargs))


def scaled_dot_product_attention(host: Any) -> Any:
    """torch's own asks the device's library which kernel it would take; here there is one."""

    def attention(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        if query.device.type != "cuda":
            return host(  # type: ignore[no-any-return]
                query, key, value, attn_mask, dropout_p, is_causal,
                scale=scale, enable_gqa=enable_gqa,
            )  # fmt: skip
        if torch.is_autocast_enabled("cuda"):
            to = torch.get_autocast_dtype("cuda")
            query, key, value = (
                x.to(to) if x.is_floating_point() else x for x in (query, key, value)
            )
            if attn_mask is not None and attn_mask.is_floating_point():
                attn_mask = attn_mask.to(to)
        found = {query.dtype, key.dtype, value.dtype}
        if len(found) > 1:
            raise RuntimeError(
                f"Expected query, key, and value to have the same dtype, but got {found} instead."
            )
        with torch.autocast("cuda", enabled=False):
            return aten._scaled_dot_product_attention_math(  # type: ignore[no-any-return]
                query, key, value, attn_mask, dropout_p, is_causal, None,
                scale=scale, enable_gqa=enable_gqa,
            )[0]  # fmt: skip

    return attention
