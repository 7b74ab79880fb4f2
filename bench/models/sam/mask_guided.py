"""H-SAM's second transformer: attention between tokens and image, weighted by the first stage's
class probabilities (arXiv 2403.18271, learnable mask cross-attention)."""

from __future__ import annotations

import math

from segment_anything.modeling.common import MLPBlock
from segment_anything.modeling.transformer import Attention
from torch import Tensor, nn

DROPOUT = 0.2
HEADS = 8


class WeightedAttention(Attention):
    """The package's attention; each share is multiplied by a weight, and not renormalised."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, weight: Tensor) -> Tensor:
        """q (B, Q, C), k and v (B, K, C), weight (B, Q, K), the same for all heads."""
        q, k, v = (
            self._separate_heads(project(x), self.num_heads)
            for project, x in ((self.q_proj, q), (self.k_proj, k), (self.v_proj, v))
        )
        share = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(dim=-1)
        return self.out_proj(self._recombine_heads((share * weight[:, None]) @ v))


class MaskGuidedBlock(nn.Module):
    """Tokens to image under the masks, tokens to tokens, MLP, image to tokens under the masks."""

    def __init__(self, width: int, *, mlp: int, first: bool) -> None:
        """first: the tokens' attention to one another replaces them."""
        super().__init__()
        self.cross_attn_token_to_image = WeightedAttention(width, HEADS)
        self.dropout = nn.Dropout(DROPOUT)
        self.norm2 = nn.LayerNorm(width)
        self.self_attn = Attention(width, HEADS)
        self.norm1 = nn.LayerNorm(width)
        self.mlp = MLPBlock(width, mlp, nn.ReLU)
        self.norm3 = nn.LayerNorm(width)
        self.cross_attn_image_to_token = WeightedAttention(width, HEADS)
        self.norm4 = nn.LayerNorm(width)
        self.first = first

    def forward(
        self, tokens: Tensor, image: Tensor, *, token_pe: Tensor, image_pe: Tensor, masks: Tensor
    ) -> tuple[Tensor, Tensor]:
        """tokens (B, T, C), image (B, N, C), masks (B, T, N)."""
        seen = self.cross_attn_token_to_image(
            tokens + token_pe, image + image_pe, image, weight=masks
        )
        tokens = self.norm2(tokens + self.dropout(seen))
        if self.first:
            tokens = self.self_attn(q=tokens, k=tokens, v=tokens)
        else:
            placed = tokens + token_pe
            tokens = tokens + self.self_attn(q=placed, k=placed, v=tokens)
        tokens = self.norm1(tokens)
        tokens = self.norm3(tokens + self.mlp(tokens))
        seen = self.cross_attn_image_to_token(
            image + image_pe, tokens + token_pe, tokens, weight=masks.transpose(1, 2)
        )
        return tokens, self.norm4(image + seen)


class MaskGuidedTransformer(nn.Module):
    """Two blocks, and a last look of the tokens at the whole image."""

    def __init__(self, width: int, *, mlp: int, depth: int = 2) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            MaskGuidedBlock(width, mlp=mlp, first=number == 0) for number in range(depth)
        )
        self.final_attn_token_to_image = Attention(width, HEADS, downsample_rate=2)
        self.norm_final_attn = nn.LayerNorm(width)

    def forward(
        self, image: Tensor, positions: Tensor, tokens: Tensor, masks: Tensor
    ) -> tuple[Tensor, Tensor]:
        """image (B, C, h, w), positions (1, C, h, w), tokens (B, T, C), masks (B, T, h * w) ->
        tokens (B, T, C) and image (B, C, h, w)."""
        size = image.shape[-2:]
        learned, x, place = tokens, *(m.flatten(2).transpose(1, 2) for m in (image, positions))
        for layer in self.layers:
            tokens, x = layer(tokens, x, token_pe=learned, image_pe=place, masks=masks)
        seen = self.final_attn_token_to_image(q=tokens + learned, k=x + place, v=x)
        tokens = self.norm_final_attn(tokens + seen)
        return tokens, x.transpose(1, 2).unflatten(2, size)
