"""H-SAM's CMAttn: the classes' masks attend to one another and say where the image matters.

The rows of T = tokens x image, (B, K + 1, h * w), are the attention's tokens. In training, noise is
added where rare classes are. What comes out is compressed over the classes to one gate a position.

`released` is the published code: its softmax runs over the gate's single channel, so the gate is 1
everywhere, the image is doubled and no parameter here ever gets a gradient. `paper` is what the
paper describes, with a sigmoid.
"""

from __future__ import annotations

import torch
from segment_anything.modeling.common import MLPBlock
from segment_anything.modeling.transformer import Attention
from torch import Tensor, nn

from bench.data.transfer import to_device
from bench.errors import unknown
from bench.protocol import UNLABELLED

KINDS = ("paper", "released")
NOISE = (0.35, 0.30, 0.30, 0.20, 0.20, 0.10, 0.10, 0.0, 0.0)
"""Standard deviations for nine classes, the rarest first, as released."""
MLP_WIDTH = 2048
HEADS = 8


class ClassAttention(nn.Module):
    """T (B, K + 1, h * w) -> gate (B, 1, h * w)."""

    def __init__(self, *, masks: int, positions: int, kind: str = "paper") -> None:
        """masks: K + 1; positions: h * w, the width of a token here: it fixes the input's size."""
        super().__init__()
        if kind not in KINDS:
            raise unknown("kind of CMAttn", kind, KINDS)
        self.kind = kind
        heads = next(count for count in range(HEADS, 0, -1) if positions % count == 0)
        self.self_attn = Attention(positions, heads)
        self.norm1 = nn.LayerNorm(positions)
        self.self_attn2 = Attention(positions, heads)
        self.mlp = MLPBlock(positions, MLP_WIDTH, nn.ReLU)
        self.norm2 = nn.LayerNorm(positions)
        self.compress = nn.Linear(masks, 1)

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """labels (B, h, w): where to add noise in training; the released code has none at 512."""
        if self.training and self.kind == "paper" and labels is not None:
            features = features + class_noise(features, labels)
        x = self.norm1(self.self_attn(q=features, k=features, v=features))
        x = self.self_attn2(q=x, k=x, v=x)
        x = self.norm2(x + self.mlp(x))
        gate = self.compress(x.transpose(1, 2)).transpose(1, 2)
        if self.kind == "released":
            return gate.relu().softmax(dim=1)
        return gate.sigmoid()


def class_noise(features: Tensor, labels: Tensor) -> Tensor:
    """Gaussian noise like `features` (B, K + 1, h * w), of a deviation by the class that a position
    is labelled with: the rarer among those of the batch, the larger. None at UNLABELLED ones.

    labels (B, h, w) uint8
    """
    flat = labels.flatten(1).long()
    counts = flat.flatten().bincount(minlength=UNLABELLED + 1)[:UNLABELLED]
    present = counts.nonzero()[:, 0]
    deviation = torch.zeros(UNLABELLED + 1, device=features.device)
    if len(present):
        rarest_first = present[counts[present].argsort(stable=True)]
        deviation[rarest_first] = to_device(noise_of_ranks(len(present)), features.device)
    return torch.randn_like(features) * deviation[flat][:, None].to(features.dtype)


def noise_of_ranks(count: int) -> Tensor:
    """(count,) deviations, the rarest class first: the released list, between whose entries other
    numbers of classes are interpolated. A class that is alone is not rare."""
    if count == 1:
        return torch.tensor(NOISE[-1:])
    place = torch.linspace(0, len(NOISE) - 1, count)
    low = place.floor().long().clamp(max=len(NOISE) - 2)
    listed = torch.tensor(NOISE)
    return torch.lerp(listed[low], listed[low + 1], place - low)
