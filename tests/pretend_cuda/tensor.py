"""The tensor: a shell that says `cuda:0` around an ordinary one that holds the numbers."""

from __future__ import annotations

from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from .machine import current
from .memory import Share


class PretendTensor(Tensor):
    """inner: the numbers; index_: the device's; share: the memory that it is charged for."""

    inner: Tensor
    index_: int
    share: Share
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: Tensor, index: int) -> PretendTensor:
        share = Share(inner, index)
        shell: PretendTensor = Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            device=torch.device("cuda", index),
            requires_grad=False,
        )
        shell.inner, shell.index_, shell.share = inner, index, share
        return shell

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        from .dispatch import dispatch

        return dispatch(func, args, kwargs or {})

    # With these two torch takes it for a wrapper, and nn.Module.to swaps what lies in a parameter
    # instead of making another one: optimisers and shared weights go on holding it.
    def __tensor_flatten__(self) -> tuple[list[str], int]:
        return ["inner"], self.index_

    @staticmethod
    def __tensor_unflatten__(
        inner: dict[str, Tensor], index: int, size: Any, stride: Any
    ) -> PretendTensor:
        return PretendTensor(inner["inner"], index)

    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        args = tuple(with_index(value) for value in args)
        return super().to(*args, **{name: with_index(value) for name, value in kwargs.items()})

    def cuda(self, device: Any = None, non_blocking: bool = False) -> Tensor:
        return self.to(torch.device("cuda", current() if device is None else device))

    def numpy(self, **_: Any) -> NoReturn:
        raise TypeError(
            f"can't convert cuda:{self.index_} device type tensor to numpy. Use Tensor.cpu() to "
            "copy the tensor to host memory first."
        )

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        self.numpy()

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def data_ptr(self) -> int:
        return self.inner.data_ptr()

    def record_stream(self, stream: Any) -> None:
        """There is one stream."""

    def __repr__(self, **_: Any) -> str:
        return f"{self.inner!r} on pretend cuda:{self.index_}"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.dim() == 0 else object.__format__(self, spec)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if id(self) not in memo:
            twin: Tensor = PretendTensor(self.inner.clone(), self.index_)
            if isinstance(self, nn.Parameter):
                twin = nn.Parameter(twin, requires_grad=self.requires_grad)
            else:
                twin.requires_grad_(self.requires_grad)
            if self.grad is not None:
                twin.grad = self.grad.__deepcopy__(memo)
            memo[id(self)] = twin
        return memo[id(self)]  # type: ignore[no-any-return]

    def __reduce_ex__(self, protocol: Any) -> Any:
        from .loading import rebuilt

        kind = isinstance(self, nn.Parameter)
        return rebuilt, (self.detach().cpu(), self.index_, self.requires_grad, kind)


def with_index(value: Any) -> Any:
    """ "cuda" is the device in use."""
    if isinstance(value, str) and value == "cuda":
        return torch.device("cuda", current())
    if isinstance(value, torch.device) and value.type == "cuda" and value.index is None:
        return torch.device("cuda", current())
    return value


def bare(value: Any) -> Any:
    """What lies within shells, lists of them included."""
    if isinstance(value, PretendTensor):
        return value.inner
    if type(value) in (list, tuple):
        return type(value)(bare(each) for each in value)
    return value
