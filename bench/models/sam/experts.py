"""SAM's encoder with several low-rank experts whose residuals are fused in every block (SAMora).

add_experts(sam.image_encoder, ("image", "patch", "pixel"), rank=4)
encoder = FusedEncoder(sam.image_encoder, ("image", "patch", "pixel"), mode="stable")
embedding = encoder(normalised_images)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from segment_anything.modeling import ImageEncoderViT
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bench.models.sam.encoder import Hooks, Site, encode
from bench.models.sam.hl_attention import SEES_PADDING, make_fusion
from bench.models.sam.lora import add_lora, load_lora, lora_state, use_lora

RANDOM_B = 0.02
"""Standard deviation of the B of an expert that nobody trained. With B at zero, as LoRA starts, its
residual would be zero and there would be nothing to fuse."""


def add_experts(
    encoder: ImageEncoderViT, names: Sequence[str], *, rank: int = 4, random: bool = False
) -> None:
    """LoRA on q and v with one learned factor a block, once for each name; B zero or random."""
    for name in names:
        add_lora(encoder, rank=rank, name=name, learned_scale=True)
        if random:
            for key, value in lora_state(encoder, name).items():
                if ".lora_B." in key:
                    nn.init.normal_(value, std=RANDOM_B)


def expert_state(encoder: ImageEncoderViT, names: Sequence[str]) -> dict[str, Tensor]:
    """Factors included."""
    return {key: value for name in names for key, value in lora_state(encoder, name).items()}


def load_experts(
    encoder: ImageEncoderViT, names: Sequence[str], weights: Mapping[str, Tensor]
) -> None:
    """What `expert_state` gave for these names, and nothing else."""
    for name in names:
        own = lora_state(encoder, name).keys()
        load_lora(encoder, {key: weights[key] for key in own if key in weights}, name)


class FusedEncoder(nn.Module):
    """The encoder under all its experts, fused. Trainable: the fusion, and the experts if asked.

    encoder  SAM's, with the experts added        fusion  one module a block
    """

    def __init__(
        self,
        encoder: ImageEncoderViT,
        experts: Sequence[str],
        *,
        mode: str = "stable",
        bottleneck: int = 32,
        train_experts: bool = False,
        recompute: bool = False,
        through: bool = True,
    ) -> None:
        """experts    highest level first
        recompute  keep none of a block's attentions for the backward pass, compute them again
        through    False: residuals are taken as they are, and gradients reach earlier blocks
                   through the plain attentions alone. Three of four attentions then have no
                   backward pass. Experts learn nothing
        """
        super().__init__()
        self.encoder = encoder
        self.experts = tuple(experts)
        self.mode, self.recompute, self.through = mode, recompute, through
        use_lora(encoder, self.experts, train=train_experts)
        self.fusion = nn.ModuleList(
            make_fusion(
                mode,
                width=block.attn.qkv.in_features,
                levels=len(self.experts),
                heads=block.attn.num_heads,
                bottleneck=bottleneck,
            )
            for block in (encoder.blocks if self.experts else ())
        ).to(encoder.pos_embed.device)

    def forward(self, images: Tensor, *, precision: str = "auto") -> Tensor:
        """Normalised images (B, 3, S, S) -> embeddings (B, C, h, w)."""
        hooks = Hooks(attend=self.attend) if self.experts else None  # none: the plain encoder
        return encode(self.encoder, images, precision=precision, hooks=hooks)

    def attend(self, site: Site, x: Tensor) -> Tensor:
        """A block's attention and the experts' fused change of it: (B, h, w, C) both ways."""
        fused = self._padded if self.mode in SEES_PADDING else self._masked
        if self.recompute and torch.is_grad_enabled():
            changed: Tensor = checkpoint(fused, site, x, use_reentrant=False)
            return changed
        return fused(site, x)

    def _masked(self, site: Site, x: Tensor) -> Tensor:
        """No token of the fusion is padding."""
        base, residuals = self._residuals(site, x)
        height, width = x.shape[1:3]
        levels = len(residuals)
        windows, padding = site.windows(residuals.flatten(0, 1))
        tokens = windows.unflatten(0, (levels, -1)).flatten(2, 3)
        whole = not site.window or not (height % site.window or width % site.window)
        nothing = None if whole else padding[: tokens.shape[1]].flatten(1)
        fused = self.fusion[site.block](tokens, nothing)
        return base + site.join(fused.view(-1, *windows.shape[1:]), (height, width))

    def _padded(self, site: Site, x: Tensor) -> Tensor:
        """Windows are padded before the attention; padding attends and is fused like the rest."""
        height, width = x.shape[1:3]
        windows, _ = site.windows(x)
        base, residuals = self._residuals(replace(site, window=0), windows)
        fused = self.fusion[site.block](residuals.flatten(2, 3))
        return site.join(base + fused.view_as(base), (height, width))

    def _residuals(self, site: Site, x: Tensor) -> tuple[Tensor, Tensor]:
        """The plain attention (B, h, w, C) and what each expert changes (levels, B, h, w, C)."""
        if self.through:
            attended = site.attend_each(x, [None, *self.experts])
            return attended[0], attended[1:] - attended[0]
        base, under = site.attend_beside(x, self.experts)
        return base, under - base.detach()
