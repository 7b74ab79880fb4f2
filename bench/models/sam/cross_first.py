"""SAM's two-way transformer with its tokens looking at the image first, as H-SAM orders it.

SAM's blocks: tokens to tokens, tokens to image, MLP, image to tokens. H-SAM's (arXiv 2403.18271)
exchange the first two and keep SAM's weights under their names.
"""

from __future__ import annotations

from segment_anything.modeling import TwoWayTransformer
from segment_anything.modeling.transformer import TwoWayAttentionBlock
from torch import Tensor, nn


class CrossFirstBlock(nn.Module):
    """A block of the package in the other order: its modules, its names, its state."""

    def __init__(self, block: TwoWayAttentionBlock) -> None:
        super().__init__()
        self.cross_attn_token_to_image = block.cross_attn_token_to_image
        self.norm2 = block.norm2
        self.self_attn = block.self_attn
        self.norm1 = block.norm1
        self.mlp = block.mlp
        self.norm3 = block.norm3
        self.cross_attn_image_to_token = block.cross_attn_image_to_token
        self.norm4 = block.norm4
        self.first = block.skip_first_layer_pe

    def forward(
        self, queries: Tensor, keys: Tensor, query_pe: Tensor, key_pe: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Tokens (B, T, C) and image (B, N, C), each with its positions; both come back changed."""
        seen = self.cross_attn_token_to_image(q=queries + query_pe, k=keys + key_pe, v=keys)
        queries = self.norm2(queries + seen)
        if self.first:  # replaces the tokens, as in SAM's own first block
            queries = self.self_attn(q=queries, k=queries, v=queries)
        else:
            placed = queries + query_pe
            queries = queries + self.self_attn(q=placed, k=placed, v=queries)
        queries = self.norm1(queries)
        queries = self.norm3(queries + self.mlp(queries))
        seen = self.cross_attn_image_to_token(q=keys + key_pe, k=queries + query_pe, v=queries)
        return queries, self.norm4(keys + seen)


def cross_first(transformer: TwoWayTransformer) -> None:
    """Reorder every block of the transformer, in place."""
    transformer.layers = nn.ModuleList(CrossFirstBlock(block) for block in transformer.layers)
