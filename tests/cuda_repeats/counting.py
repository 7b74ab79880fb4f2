"""Which operations a method uses, in training and prediction: counted on the CPU, at nano size.

The dispatcher names them on a CPU as on CUDA, but for attention: the CPU takes it apart, so that it
is counted where it is called. Where the models choose by the device, they are made to go the way of
CUDA; and torch's deterministic algorithms are asked for, as the check on a GPU asks for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import yaml
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from bench.cards import MethodCard, OnCuda
from bench.contract import Task, Volume
from bench.models import hl_attention
from bench.models.sam import attention as sam_attention
from bench.registry import discover, load
from bench.worker.clock import MethodClock
from tests.methods.sam2_tiny import disks
from tests.methods.tiny import backbone, blind, options, setting

STEPS = 6
SMALL = {
    "image_size": 64,
    "dino_size": 64,
    "pretrain_size": 64,
    "batch": 4,
    "pretrain_batch": 4,
    "decoder_batch": 4,
    "copies": 2,
    "width": 4,
}
LIST = Path(__file__).with_name("operations.yaml")
ATTENTION = "scaled_dot_product_attention_backward"

ALIASES = {
    "_index_put_impl": "index_put",
    # In inference mode the dispatcher shows what was called, not what it is made of.
    **dict.fromkeys((f"conv{n}d" for n in (1, 2, 3)), "convolution"),
    **dict.fromkeys((f"conv_transpose{n}d" for n in (1, 2, 3)), "convolution"),
}


class Operations(TorchDispatchMode):
    """name -> calls, of those on the list whose `when` holds."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        self.listed = {name: facts for part in listed().values() for name, facts in part.items()}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = func._schema.name.removeprefix("aten::").removesuffix("_")
        name = ALIASES.get(name, name)
        given = dict(zip((a.name for a in func._schema.arguments), args, strict=False))
        given |= kwargs or {}
        if name in self.listed and holds(self.listed[name].get("when"), given):
            self.found[name] += 1
        return func(*args, **(kwargs or {}))


class Attention(TorchFunctionMode):
    """Calls of attention of which a gradient is asked."""

    def __init__(self, found: Counter[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is F.scaled_dot_product_attention and torch.is_grad_enabled():
            tensors = [part for part in args if isinstance(part, torch.Tensor)]
            self.found[ATTENTION] += any(part.requires_grad for part in tensors)
        return func(*args, **(kwargs or {}))


def holds(when: str | None, given: Mapping[str, Any]) -> bool:
    """Whether a call is one of those that the list means."""
    if when == "floating":
        return bool(given["self"].is_floating_point())
    if when == "tensor":
        return isinstance(given.get("src"), torch.Tensor)
    if when == "reduced":
        return bool(given["reduction"])  # 0 is none
    if when == "weighted":
        return given.get("weights") is not None
    if when == "no_duplicates_known":
        masks = [one for one in given["indices"] if one is not None]
        return not given.get("accumulate", False) and any(one.dtype != torch.bool for one in masks)
    return True


def listed() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(LIST.read_text("utf-8"))
    return found


def statement(found: Mapping[str, int]) -> OnCuda:
    """What the card must say of a method that uses these."""
    names = {name for name, count in found.items() if count}
    if names & set(listed()["never"]):
        return "close"
    return "deterministic" if names else "bits"


@dataclass(frozen=True)
class Variant:
    """The card's defaults, or the value of an option with which it takes another backbone."""

    method: str
    changes: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        return " ".join([self.method, *(f"{name}={value}" for name, value in self.changes)])


def variants(name: str, card: MethodCard) -> list[Variant]:
    found = [Variant(name)]
    for when in card.backbones.values():
        changes = tuple((option, values[0]) for option, values in when.items())
        if any(card.options[option].default != value for option, value in changes):
            found.append(Variant(name, changes))
    return list(dict.fromkeys(found))


def count(variant: Variant, scratch: Path) -> Counter[str]:
    """A few steps of pre-training and adaptation, and a prediction."""
    found, card = discover().method(variant.method)
    small = {name: value for name, value in SMALL.items() if name in card.options}
    chosen = options(variant.method, **{**small, **dict(variant.changes)})
    families = backbone(variant.method, chosen)
    here = replace(setting(2), backbone=families, cache=scratch / "cache")
    volumes = [pool_volume(number) for number in range(3)]
    torch.manual_seed(0)
    np.random.seed(0)
    counting = Operations()
    with as_on_cuda(), counting, Attention(counting.found):
        pretrained = None
        if card.pretrains(vars(chosen)) is not None:
            method = load(found)(chosen, here)
            pull(method.pretrain, task(here, (), volumes, scratch / "pretrain", None))
            pretrained = method.state_dict()
        method = load(found)(chosen, here)
        if hasattr(method, "adapt"):
            pull(method.adapt, task(here, volumes[:2], volumes, scratch / "adapt", pretrained))
        shown = volumes[2] if card.needs_test_label else blind(volumes[2])
        method.predict(shown)
    return counting.found


@contextmanager
def as_on_cuda() -> Iterator[None]:
    """The models' attention of a GPU, and deterministic algorithms where the code asks for them."""
    with (
        patch.object(sam_attention._InParts, "apply", sam_attention.attention_by_codes),
        patch.object(hl_attention, "attend", attend_on_cuda),
    ):
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(False)


def attend_on_cuda(q: Tensor, k: Tensor, v: Tensor, padding: Tensor | None) -> Tensor:
    seen = None if padding is None else ~padding[:, None, None, :]
    return F.scaled_dot_product_attention(q, k, v, attn_mask=seen)


def pool_volume(number: int) -> Volume:
    return replace(disks(f"p{number}", seed=number), dataset="acdc" if number % 2 else "la2018")


def task(
    here: Any, support: Any, unlabelled: Any, scratch: Path, pretrained: Mapping[str, Any] | None
) -> Task:
    scratch.mkdir(parents=True)
    return Task(
        setting=here,
        support=tuple(support),
        unlabelled=tuple(blind(volume) for volume in unlabelled),
        scratch=scratch,
        pretrained=pretrained,
    )


def pull(verb: Any, given: Task) -> None:
    clock = MethodClock(seconds_limit=None, steps_limit=STEPS)
    work = verb(given, clock)
    for progress in work:
        clock.count(progress)
        if clock.spent:
            break
    work.close()
