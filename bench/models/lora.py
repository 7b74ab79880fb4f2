"""LoRA on slices of SAM's fused projection (q and v, not k), as a layer of peft.

    add_lora(sam.image_encoder, rank=4)
    use_lora(sam.image_encoder, ["image", "patch"])     # several adapters act at once
    weights = lora_state(sam.image_encoder)             # these tensors only

peft's own layer for a Linear would adapt all of its output. B A x is added as it is: no alpha / r.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from bench.errors import RequestError, unknown
from bench.models.checkpoints.fill import fill

PARTS = "qkv"


@dataclass
class SliceConfig(LoraConfig):
    """slices: those of q, k, v that are adapted. learned_scale: one trainable factor, from 1."""

    slices: str = "qv"
    learned_scale: bool = False


class SliceLora(nn.Module, LoraLayer):
    """x -> base(x) + the adapters' B A x, added to the slices' channels of q | k | v.

    A of all slices is one matrix, (slices * rank, in); B is one a slice, (out / 3, rank).
    """

    # peft sets these trainable with the adapter, and moves them with the base layer.
    adapter_layer_names = (*LoraLayer.adapter_layer_names, "lora_scale")

    def __init__(
        self, base_layer: nn.Linear, adapter_name: str, config: SliceConfig, **kwargs: Any
    ) -> None:
        super().__init__()
        LoraLayer.__init__(self, base_layer)
        self.lora_scale = nn.ParameterDict()
        self.width = base_layer.out_features // len(PARTS)
        self._active_adapter = adapter_name
        self.update_layer(adapter_name, config=config, **kwargs)

    def update_layer(
        self, adapter_name: str, r: int, lora_alpha: int, config: Any, **_: Any
    ) -> None:
        """One more adapter. A as `nn.Linear` starts (Kaiming-uniform, a = sqrt 5), B = 0."""
        base, count = cast(nn.Linear, self.get_base_layer()), len(config.slices)
        self.r[adapter_name], self.lora_alpha[adapter_name] = r, lora_alpha
        self.scaling[adapter_name] = lora_alpha / r
        self.lora_A[adapter_name] = nn.Linear(base.in_features, count * r, bias=False)
        ups = {part: nn.Linear(r, self.width, bias=False) for part in config.slices}
        for up in ups.values():
            nn.init.zeros_(up.weight)
        self.lora_B[adapter_name] = nn.ModuleDict(ups)
        if config.learned_scale:
            self.lora_scale[adapter_name] = nn.Parameter(torch.ones(()))
        self._move_adapter_to_device_of_base_layer(adapter_name)
        self.set_adapter(self.active_adapters)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), with all active adapters."""
        result = self.base_layer(x)
        for name in [] if self.disable_adapters else self.active_adapters:
            result = self._adapted(result, x, name)
        return result

    def each(
        self, x: Tensor, adapters: Sequence[str | None], *, base: Tensor | None = None
    ) -> Tensor:
        """(..., in) -> (adapters, ..., out): under each alone, active or not; None: under none.

        base: what the layer gives under none, where that is known.
        """
        base = self.base_layer(x) if base is None else base
        return torch.stack([base if a is None else self._adapted(base, x, a) for a in adapters])

    def _adapted(self, result: Tensor, x: Tensor, name: str) -> Tensor:
        if name not in self.lora_A:
            raise unknown("LoRA adapter", name, self.lora_A)
        down = self.lora_A[name](x) * self.scaling[name]
        if name in self.lora_scale:
            down = down * self.lora_scale[name]
        # One matrix for q | k | v: columns of no width leave what is not adapted at zero.
        ups = cast(nn.ModuleDict, self.lora_B[name])
        nothing = down.new_empty(self.width, 0)
        blocks = [ups.get_parameter(f"{p}.weight") if p in ups else nothing for p in PARTS]
        return result + nn.functional.linear(down, torch.block_diag(*blocks))


def add_lora(
    encoder: nn.Module,
    *,
    rank: int = 4,
    name: str = "default",
    slices: str = "qv",
    learned_scale: bool = False,
) -> None:
    """One more adapter on every `qkv` of the encoder, in place. It alone is active and trainable.

    slices         in the order of q, k, v
    learned_scale  a trainable factor a block, 1 at the start (SAMora's experts)
    """
    if rank < 1:
        raise RequestError(f"LoRA of rank {rank}: a rank is at least 1")
    if not slices or slices != "".join(part for part in PARTS if part in slices):
        raise RequestError(f"LoRA slices {slices!r}: take some of q, k, v, in that order")
    if not name or "." in name:
        raise RequestError(f"LoRA adapter name {name!r}: give one without a dot")
    if name in _names(encoder):
        raise RequestError(f"the encoder already has a LoRA adapter {name!r}")
    config = SliceConfig(
        r=rank,
        lora_alpha=rank,  # alpha / r = 1
        target_modules=["qkv"],
        slices=slices,
        learned_scale=learned_scale,
    )
    config._register_custom_module({nn.Linear: SliceLora})
    with warnings.catch_warnings():
        # peft warns of every adapter after the first.
        warnings.filterwarnings("ignore", message="Already found a `peft_config`")
        inject_adapter_in_model(config, encoder, adapter_name=name)
    use_lora(encoder, [name])


def use_lora(encoder: nn.Module, names: Sequence[str], *, train: bool = True) -> None:
    """These adapters act, together, and are trainable if `train`; no name: the plain encoder."""
    known = _names(encoder)
    for name in names:
        if name not in known:
            raise unknown("LoRA adapter", name, known)
    for layer in _layers(encoder):
        layer.set_adapter(list(names), inference_mode=not train)


def lora_state(encoder: nn.Module, name: str = "default") -> dict[str, Tensor]:
    """The adapter's tensors by their names in the encoder."""
    found = {key: value for key, value in encoder.state_dict().items() if _is_of(key, name)}
    if not found:
        raise unknown("LoRA adapter", name, _names(encoder))
    return found


def load_lora(encoder: nn.Module, weights: Mapping[str, Tensor], name: str = "default") -> None:
    """What `lora_state` gave, into an encoder that has this adapter: all of it, nothing else."""
    own = lora_state(encoder, name)
    rest = {key: value for key, value in encoder.state_dict().items() if key not in own}
    foreign = sorted(weights.keys() & rest.keys())
    if foreign:
        raise RequestError(f"weights for LoRA adapter {name!r} hold {foreign[0]}, which is not its")
    fill(encoder, {**rest, **weights}, source=f"weights for LoRA adapter {name!r}")


def _is_of(key: str, name: str) -> bool:
    kind, _, rest = key.partition(".lora_")[2].partition(".")
    return bool(kind) and rest.partition(".")[0] == name


def _layers(encoder: nn.Module) -> list[SliceLora]:
    return [module for module in encoder.modules() if isinstance(module, SliceLora)]


def _names(encoder: nn.Module) -> set[str]:
    return {adapter for layer in _layers(encoder) for adapter in layer.lora_A}
