"""An image encoder with several low-rank experts whose residuals are fused in every block (SAMora).

from bench.models.sam.encoder import encode, sites          # or bench.models.sam2.encode

add_experts(sam.image_encoder, ("image", "patch", "pixel"), rank=4)
encoder = FusedEncoder(sam.image_encoder, ("image", "patch", "pixel"), encode=encode,
                       sites=sites(sam.image_encoder), mode="stable")
embedding = encoder(normalised_images)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bench.models.hl_attention import SEES_PADDING, make_fusion
from bench.models.hooks import Hooks, Site
from bench.models.lora import add_lora, load_lora, lora_state, use_lora

RANDOM_B = 0.02
"""Standard deviation of the B of an expert that nobody trained. With B at zero, as LoRA starts, its
residual would be zero and there would be nothing to fuse."""


def add_experts(
    encoder: nn.Module, names: Sequence[str], *, rank: int = 4, random: bool = False
) -> None:
    """LoRA on q and v with one learned factor a block, once for each name; B zero or random."""
    for name in names:
        add_lora(encoder, rank=rank, name=name, learned_scale=True)
        if random:
            for key, value in lora_state(encoder, name).items():
                if ".lora_B." in key:
                    nn.init.normal_(value, std=RANDOM_B)


def expert_state(encoder: nn.Module, names: Sequence[str]) -> dict[str, Tensor]:
    """Factors included."""
    return {key: value for name in names for key, value in lora_state(encoder, name).items()}


def load_experts(encoder: nn.Module, names: Sequence[str], weights: Mapping[str, Tensor]) -> None:
    """What `expert_state` gave for these names, and nothing else."""
    for name in names:
        own = lora_state(encoder, name).keys()
        load_lora(encoder, {key: weights[key] for key in own if key in weights}, name)


class FusedEncoder(nn.Module):
    """The encoder under all its experts, fused. Trainable: the fusion, and the experts if asked.

    encoder  with the experts added; what `encode` takes        fusion  one module a block
    """

    def __init__(
        self,
        encoder: nn.Module,
        experts: Sequence[str],
        *,
        encode: Callable[..., Any],
        sites: Sequence[Site],
        mode: str = "stable",
        bottleneck: int = 32,
        train_experts: bool = False,
        recompute: bool = False,
        through: bool = True,
    ) -> None:
        """experts    highest level first
        encode     (encoder, images, precision=, hooks=) -> whatever the family's decoder takes
        sites      the encoder's attentions
        recompute  keep none of a block's attentions for the backward pass, compute them again
        through    False: residuals are taken as they are, and gradients reach earlier blocks
                   through the plain attentions alone. Three of four attentions then have no
                   backward pass. Experts learn nothing
        """
        super().__init__()
        self.encoder, self.encode = encoder, encode
        self.experts = tuple(experts)
        self.mode, self.recompute, self.through = mode, recompute, through
        use_lora(encoder, self.experts, train=train_experts)
        self.fusion = nn.ModuleList(
            make_fusion(
                mode,
                width=site.width,
                levels=len(self.experts),
                heads=site.heads,
                bottleneck=bottleneck,
            )
            for site in (sites if self.experts else ())
        ).to(next(encoder.parameters()).device)

    def forward(self, images: Tensor, *, precision: str = "auto") -> Any:
        """Normalised images (B, 3, S, S) -> what `encode` gives: embeddings (B, C, h, w) of SAM."""
        hooks = Hooks(attend=self.attend) if self.experts else None  # none: the plain encoder
        return self.encode(self.encoder, images, precision=precision, hooks=hooks)

    def attend(self, site: Site, x: Tensor) -> Tensor:
        """A block's attention and the experts' fused change of it."""
        fused = self._padded if self.mode in SEES_PADDING else self._masked
        if self.recompute and torch.is_grad_enabled():
            changed: Tensor = checkpoint(fused, site, x, use_reentrant=False)
            return changed
        return fused(site, x)

    def _masked(self, site: Site, x: Tensor) -> Tensor:
        """No token of the fusion is padding."""
        base, residuals = self._residuals(site, x)
        height, width = base.shape[1:3]
        levels = len(residuals)
        windows, padding = site.windows(residuals.flatten(0, 1))
        tokens = windows.unflatten(0, (levels, -1)).flatten(2, 3)
        whole = not site.side or not (height % site.side or width % site.side)
        nothing = None if whole else padding[: tokens.shape[1]].flatten(1)
        fused = self.fusion[site.block](tokens, nothing)
        return base + site.join(fused.view(-1, *windows.shape[1:]), (height, width))

    def _padded(self, site: Any, x: Tensor) -> Tensor:
        """Windows are padded before the attention; padding attends and is fused like the rest. Of
        SAM's own blocks: what comes out has the windows of what goes in."""
        height, width = x.shape[1:3]
        windows, _ = site.windows(x)
        base, residuals = self._residuals(replace(site, window=0), windows)
        fused = self.fusion[site.block](residuals.flatten(2, 3))
        return site.join(base + fused.view_as(base), (height, width))

    def _residuals(self, site: Site, x: Tensor) -> tuple[Tensor, Tensor]:
        """The plain attention (B, h', w', C') and what each expert changes, (levels, B, ...)."""
        if self.through or not torch.is_grad_enabled():  # to the bit what a loaded copy predicts
            attended = site.attend_each(x, [None, *self.experts])
            return attended[0], attended[1:] - attended[0]
        base, under = site.attend_beside(x, self.experts)
        return base, under - base.detach()
