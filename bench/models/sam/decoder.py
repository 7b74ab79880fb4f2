"""SAM's mask decoder without prompts: one mask token a class and one for the background.

Built from a SAM's own decoder as SAMed does it: its transformer, upscaling and IoU token are kept;
mask tokens, their hypernetworks and the IoU head start anew, since they are of another number.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import torch
from segment_anything.modeling import MaskDecoder, Sam
from segment_anything.modeling.mask_decoder import MLP
from torch import Tensor, nn

from bench.errors import RequestError
from bench.models.sam.norm import with_channel_norms


@dataclass(frozen=True, eq=False)
class Decoded:
    """What the decoder makes of an embedding (B, C, h, w). K classes.

    logits    (B, K + 1, 4h, 4w), background first      iou  (B, K + 1), as SAM would rate its masks
    tokens    (B, K + 1, C), after the transformer      image  (B, C, h, w), after the transformer
    upscaled  (B, C / 8, 4h, 4w)
    """

    logits: Tensor
    iou: Tensor
    tokens: Tensor
    image: Tensor
    upscaled: Tensor


class PromptFreeDecoder(nn.Module):
    """Embeddings (B, C, h, w) -> logits (B, K + 1, 4h, 4w), the whole batch in one pass.

    mask_decoder   the package's class, trainable
    no_mask_embed  what SAM adds to an image without a mask prompt
    """

    positions: Tensor

    def __init__(self, sam: Sam, *, classes: int, train_prompt: bool = True) -> None:
        """Copies what it needs; `sam` stays as it is.

        classes       K, without the background
        train_prompt  whether `no_mask_embed` is trained too, as SAMed does
        """
        super().__init__()
        if classes < 1:
            raise RequestError(f"a decoder for {classes} classes: give at least one")
        self.mask_decoder = _widened(sam.mask_decoder, classes + 1)
        self.no_mask_embed = deepcopy(sam.prompt_encoder.no_mask_embed)
        self.no_mask_embed.requires_grad_(train_prompt)
        with torch.no_grad():
            # Known from the checkpoint, so not part of the state.
            self.register_buffer("positions", sam.prompt_encoder.get_dense_pe(), persistent=False)

    def forward(self, embeddings: Tensor) -> Tensor:
        return self.decode(embeddings).logits

    def decode(self, embeddings: Tensor) -> Decoded:
        """The same with what a second stage may want of it."""
        decoder = self.mask_decoder
        learned = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
        # The package repeats each image for each prompt. Here each image has its one query.
        tokens, image = decoder.transformer(
            embeddings + self.no_mask_embed.weight[..., None, None],
            self.positions,
            learned.expand(len(embeddings), -1, -1),
        )
        image = image.transpose(1, 2).unflatten(2, embeddings.shape[-2:])
        upscaled = decoder.output_upscaling(image)
        masks = tokens[:, 1:]
        weights = torch.stack(
            [mlp(masks[:, i]) for i, mlp in enumerate(decoder.output_hypernetworks_mlps)], dim=1
        )
        return Decoded(
            logits=torch.einsum("bkc,bchw->bkhw", weights, upscaled),
            iou=decoder.iou_prediction_head(tokens[:, 0]),
            tokens=masks,
            image=image,
            upscaled=upscaled,
        )


def _widened(source: MaskDecoder, tokens: int) -> MaskDecoder:
    """A trainable copy with this number of mask tokens, all that depends on it drawn anew."""
    decoder: MaskDecoder = with_channel_norms(deepcopy(source))
    width = decoder.transformer_dim
    device = source.iou_token.weight.device
    first, *_, last = source.iou_prediction_head.layers
    depth = source.iou_prediction_head.num_layers
    decoder.num_multimask_outputs = tokens - 1
    decoder.num_mask_tokens = tokens
    decoder.mask_tokens = nn.Embedding(tokens, width)
    decoder.output_hypernetworks_mlps = nn.ModuleList(
        MLP(width, width, width // 8, 3) for _ in range(tokens)
    )
    decoder.iou_prediction_head = MLP(first.in_features, last.in_features, tokens, depth)
    return decoder.to(device).requires_grad_(True).train()
