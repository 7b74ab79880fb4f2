"""H-SAM's two-stage decoder (arXiv 2403.18271): the first stage's masks guide a second, finer one.

    decode = TwoStageDecoder(sam, classes=8)
    stages = decode(embeddings, labels)       # labels in training only, for CMAttn's noise
    stages.first, stages.second               # logits (B, K + 1, 4h, 4w) and (B, K + 1, 16h, 16w)

Gradients of the second stage flow into the first through its masks, its tokens and its pixels. The
second stage starts from random weights; nothing of it is SAM's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from segment_anything.modeling import Sam
from torch import Tensor, nn

from bench.errors import RequestError
from bench.models.sam.class_attention import ClassAttention
from bench.models.sam.cross_first import cross_first
from bench.models.sam.decoder import PromptFreeDecoder
from bench.models.sam.mask_guided import MaskGuidedTransformer
from bench.models.sam.pixel_decoder import PixelDecoder
from bench.train.slicewise import labels_at

NOISE = 0.2
"""Of the embedding's range: the noise that the released code adds to it in training."""


@dataclass(frozen=True, eq=False)
class Stages:
    """Logits of both stages, background first."""

    first: Tensor
    second: Tensor


class SecondStage(nn.Module):
    """Everything after the first decoder."""

    def __init__(
        self, *, width: int, positions: int, masks: int, mlp: int, cmattn: str = "paper"
    ) -> None:
        """width: C; positions: h * w; masks: K + 1."""
        super().__init__()
        self.mask_tokens = nn.Embedding(masks, width)
        self.class_attention = ClassAttention(masks=masks, positions=positions, kind=cmattn)
        self.transformer = MaskGuidedTransformer(width, mlp=mlp)
        self.pixels = PixelDecoder(width, masks=masks)

    def forward(
        self,
        image: Tensor,
        *,
        positions: Tensor,
        masks: Tensor,
        features: Tensor,
        upscaled: Tensor,
        labels: Tensor | None,
    ) -> Tensor:
        """image (B, C, h, w); masks (B, K + 1, h * w), the first stage's shares of the classes;
        features (B, K + 1, h * w), its tokens x image; upscaled (B, C / 8, 4h, 4w)."""
        gate = self.class_attention(features, labels)
        image = image + image * gate.unflatten(2, image.shape[-2:])
        tokens = self.mask_tokens.weight.expand(len(image), -1, -1)
        tokens, image = self.transformer(image, positions, tokens, masks)
        return self.pixels(image, tokens, upscaled)


class TwoStageDecoder(nn.Module):
    """Embeddings (B, C, h, w) -> the logits of both stages."""

    def __init__(
        self,
        sam: Sam,
        *,
        classes: int,
        cmattn: str = "paper",
        noise: float = NOISE,
        train_prompt: bool = True,
    ) -> None:
        """Copies what it needs; `sam` stays as it is. The arguments are those of H-SAM:

        cmattn  "paper", or "released": a doubling, with parameters that never learn
        noise   added to the embedding in training, as a share of its range
        """
        super().__init__()
        if noise < 0:
            raise RequestError(f"noise={noise}: a share of the embedding's range, 0 or more")
        self.noise = noise
        self.first = PromptFreeDecoder(sam, classes=classes, train_prompt=train_prompt)
        cross_first(self.first.mask_decoder.transformer)
        height, width = sam.prompt_encoder.image_embedding_size
        self.second = SecondStage(
            width=sam.mask_decoder.transformer_dim,
            positions=height * width,
            masks=classes + 1,
            mlp=sam.mask_decoder.transformer.mlp_dim,
            cmattn=cmattn,
        ).to(self.first.positions.device)

    def forward(self, embeddings: Tensor, labels: Tensor | None = None) -> Stages:
        """labels (B, S, S) uint8: used in training alone, by CMAttn's noise."""
        one = self.first.decode(embeddings)
        size = embeddings.shape[-2:]
        coarse = F.interpolate(one.logits, size=size, mode="bilinear", align_corners=False)
        image = embeddings
        if self.training and self.noise:
            reach = embeddings.max() - embeddings.min()
            image = image + torch.randn_like(image) * (self.noise * reach)
        second = self.second(
            image + self.first.no_mask_embed.weight[..., None, None],
            positions=self.first.positions,
            masks=coarse.softmax(dim=1).flatten(2),
            features=one.tokens @ one.image.flatten(2),
            upscaled=one.upscaled,
            labels=None if labels is None else labels_at(labels, coarse),
        )
        return Stages(first=one.logits, second=second)


def averaged(stages: Stages, *, kind: str = "logits") -> Tensor:
    """Scores (B, K + 1, 16h, 16w) of both stages together.

    kind  "logits", as the released code averages; "probabilities", as the paper says; "second":
          that stage alone
    """
    if kind == "second":
        return stages.second
    first = F.interpolate(
        stages.first, size=stages.second.shape[-2:], mode="bilinear", align_corners=False
    )
    if kind == "probabilities":
        return (first.softmax(dim=1) + stages.second.softmax(dim=1)) / 2
    return (first + stages.second) / 2
