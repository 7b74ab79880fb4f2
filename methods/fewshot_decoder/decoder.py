"""SAM's mask decoder with target embeddings as its prompts: one mask, no choice among several."""

from __future__ import annotations

from copy import deepcopy

import torch
from segment_anything.modeling import Sam
from segment_anything.modeling.common import LayerNorm2d
from segment_anything.modeling.transformer import TwoWayAttentionBlock
from torch import Tensor, nn

from bench.errors import RequestError
from bench.models.sam.prompted import two_way

PADDING = -1
"""The kind of a token that is none."""


class OneMask(nn.Module):
    """The package's decoder of which mask token 0 and its hypernetwork are used and trained, with
    the transformer and the upscaling. IoU token and head and the other masks stay, frozen."""

    def __init__(self, sam: Sam, *, depth: int, scratch: bool, all_tokens: bool) -> None:
        """depth: blocks of the transformer; those beyond the checkpoint's start anew.

        all_tokens: IoU token and the other mask tokens are in the sequence, as SAM has it.
        """
        super().__init__()
        decoder = deepcopy(sam.mask_decoder).requires_grad_(False)
        if scratch:
            decoder.apply(_restart)
        _deepen(decoder.transformer, depth)
        self.mask_decoder = decoder
        self.mask_token = nn.Parameter(decoder.mask_tokens.weight[:1].clone())
        self.all_tokens = all_tokens
        for part in (
            decoder.transformer,
            decoder.output_upscaling,
            decoder.output_hypernetworks_mlps[0],
        ):
            part.requires_grad_(True)

    def forward(self, image: Tensor, positions: Tensor, prompts: Tensor, known: Tensor) -> Tensor:
        """image (R, C, h, w), prompts (R, T, C), known (R, T) -> logits (R, 4h, 4w)"""
        decoder = self.mask_decoder
        own, place = self.mask_token, 0
        if self.all_tokens:
            rest = decoder.mask_tokens.weight[1:]
            own, place = torch.cat([decoder.iou_token.weight, self.mask_token, rest]), 1
        own = own.expand(len(image), -1, -1)
        tokens, image = two_way(
            decoder.transformer,
            image,
            positions,
            torch.cat([own, prompts], dim=1),
            torch.cat([known.new_ones(own.shape[:2]), known], dim=1),
        )
        weights = decoder.output_hypernetworks_mlps[0](tokens[:, place])
        return torch.einsum("rc,rchw->rhw", weights, decoder.output_upscaling(image))


class TargetDecoder(nn.Module):
    """One `OneMask` for all classes, or one each; the type vectors of the tokens.

    types    (2, C), added to target and ring tokens; 0 at the start
    learned  (K, T, C): tokens that are learned instead of made from labelled slices; None: none
    """

    positions: Tensor
    no_mask: Tensor

    def __init__(
        self,
        sam: Sam,
        *,
        classes: int,
        per_class: bool = False,
        depth: int = 2,
        scratch: bool = False,
        all_tokens: bool = False,
        learned: int = 0,
    ) -> None:
        """Copies what it needs; `sam` stays as it is."""
        super().__init__()
        width = sam.mask_decoder.transformer_dim
        first = OneMask(sam, depth=depth, scratch=scratch, all_tokens=all_tokens)
        rest = classes - 1 if per_class else 0
        self.decoders = nn.ModuleList([first, *(deepcopy(first) for _ in range(rest))])
        self.types = nn.Parameter(torch.zeros(2, width))
        self.learned = nn.Parameter(torch.randn(classes, learned, width)) if learned else None
        self.types.requires_grad_(not learned)
        with torch.no_grad():
            # Known from the checkpoint, so not part of the state.
            no_mask = sam.prompt_encoder.no_mask_embed.weight[..., None, None]
            self.register_buffer("no_mask", no_mask.clone(), persistent=False)
            self.register_buffer("positions", sam.prompt_encoder.get_dense_pe(), persistent=False)

    def forward(self, image: Tensor, classes: Tensor, tokens: Tensor, kinds: Tensor) -> Tensor:
        """A row is an image and a class: image (R, C, h, w), classes (R,) from 0, tokens
        (R, T, C), kinds (R, T) with PADDING -> logits (R, 4h, 4w)."""
        if self.learned is not None:
            prompts = self.learned[classes]
            known = torch.ones(prompts.shape[:2], dtype=torch.bool, device=prompts.device)
        else:
            known = kinds != PADDING
            prompts = tokens + self.types[kinds.clamp(min=0)] * known[..., None]
        given = image + self.no_mask
        if len(self.decoders) == 1:
            return self.decoders[0](given, self.positions, prompts, known)
        order, parts = [], []
        for number, decoder in enumerate(self.decoders):
            rows = (classes == number).nonzero()[:, 0]
            if len(rows):
                order.append(rows)
                parts.append(decoder(given[rows], self.positions, prompts[rows], known[rows]))
        return torch.cat(parts)[torch.cat(order).argsort()]


def _restart(module: nn.Module) -> None:
    """New random weights, drawn as the module's own class draws them."""
    if isinstance(module, LayerNorm2d):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
    elif callable(reset := getattr(module, "reset_parameters", None)):
        reset()


def _deepen(transformer: nn.Module, depth: int) -> None:
    layers = transformer.layers
    if depth < len(layers):
        raise RequestError(f"depth={depth}: SAM's decoder has {len(layers)} blocks, give no fewer")
    like = layers[-1]
    for _ in range(depth - len(layers)):
        block = TwoWayAttentionBlock(
            embedding_dim=transformer.embedding_dim,
            num_heads=transformer.num_heads,
            mlp_dim=transformer.mlp_dim,
        )
        layers.append(block.to(like.norm1.weight.device))
    transformer.depth = depth
