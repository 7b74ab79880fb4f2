"""SAM 2's mask decoder without prompts and without memory: one mask token a class and one for the
background.

Built from a SAM 2's own decoder as SAMed does it with SAM's: its transformer, upscaling, IoU and
object tokens are kept; mask tokens, their hypernetworks and the IoU head start anew, since they are
of another number. The image is treated as the package treats a first frame.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from bench.errors import RequestError
from bench.models.sam2.encode import Features
from bench.models.sam2.package import sam2_package

if TYPE_CHECKING:
    from sam2.modeling.sam.mask_decoder import MaskDecoder
    from sam2.modeling.sam2_base import SAM2Base


@dataclass(frozen=True, eq=False)
class Decoded:
    """What the decoder makes of the features of a batch. K classes; h, w and C are those of s16.

    logits    (B, K + 1, 4h, 4w), background first      iou      (B, K + 1), as SAM 2 rates masks
    tokens    (B, K + 1, C), after the transformer      present  (B, 1), SAM 2's object score
    upscaled  (B, C / 8, 4h, 4w)                        image    (B, C, h, w), as the tokens
    """

    logits: Tensor
    tokens: Tensor
    upscaled: Tensor
    iou: Tensor
    present: Tensor
    image: Tensor


class PromptFreeDecoder(nn.Module):
    """Features of `encode` -> logits (B, K + 1, S / 4, S / 4), the whole batch in one pass.

    mask_decoder   the package's class, trainable, without the two projections that `encode` applies
    no_mask_embed  what SAM 2 adds to an image without a mask prompt
    """

    positions: Tensor
    no_memory: Tensor

    def __init__(self, sam2: SAM2Base, *, classes: int, train_prompt: bool = True) -> None:
        """Copies what it needs; `sam2` stays as it is.

        classes       K, without the background
        train_prompt  whether `no_mask_embed` is trained too, as SAMed does
        """
        super().__init__()
        if classes < 1:
            raise RequestError(f"a decoder for {classes} classes: give at least one")
        prompts = sam2.sam_prompt_encoder
        self.mask_decoder = _widened(sam2.sam_mask_decoder, classes + 1)
        self.no_mask_embed = deepcopy(prompts.no_mask_embed).requires_grad_(train_prompt)
        # Known from the checkpoint, so not part of the state.
        positions = prompts.get_dense_pe().detach()
        self.register_buffer("positions", positions, persistent=False)
        # What SAM 2 adds where there is no memory to attend to.
        no_memory = sam2.no_mem_embed.detach().reshape(1, -1, 1, 1).clone()
        self.register_buffer("no_memory", no_memory, persistent=False)

    def forward(self, features: Features) -> Tensor:
        return self.decode(features).logits

    def decode(self, features: Features) -> Decoded:
        """The same with what a second stage may want of it."""
        decoder, count = self.mask_decoder, len(features.s16)
        learned = torch.cat(
            [
                decoder.obj_score_token.weight,
                decoder.iou_token.weight,
                decoder.mask_tokens.weight,
            ]
        )
        tokens, image = decoder.transformer(
            features.s16 + self.no_memory + self.no_mask_embed.weight[..., None, None],
            self.positions,
            learned.expand(count, -1, -1),
        )
        image = image.transpose(1, 2).unflatten(2, features.s16.shape[-2:])
        double, norm, activation, again, last = decoder.output_upscaling
        upscaled = activation(norm(double(image) + features.s8))
        upscaled = last(again(upscaled) + features.s4)
        masks = tokens[:, 2:]
        weights = torch.stack(
            [mlp(masks[:, i]) for i, mlp in enumerate(decoder.output_hypernetworks_mlps)], dim=1
        )
        return Decoded(
            logits=torch.einsum("bkc,bchw->bkhw", weights, upscaled),
            tokens=masks,
            upscaled=upscaled,
            iou=decoder.iou_prediction_head(tokens[:, 1]),
            present=decoder.pred_obj_score_head(tokens[:, 0]),
            image=image,
        )


def _widened(source: MaskDecoder, tokens: int) -> MaskDecoder:
    """A trainable copy with this number of mask tokens, all that depends on it drawn anew."""
    sam2_package()
    from sam2.modeling.sam2_utils import MLP

    decoder = deepcopy(source)
    width, rating = decoder.transformer_dim, source.iou_prediction_head
    first, *_, last = rating.layers
    decoder.num_multimask_outputs = tokens - 1
    decoder.num_mask_tokens = tokens
    decoder.mask_tokens = nn.Embedding(tokens, width)
    decoder.output_hypernetworks_mlps = nn.ModuleList(
        MLP(width, width, width // 8, 3) for _ in range(tokens)
    )
    decoder.iou_prediction_head = MLP(
        first.in_features,
        last.in_features,
        tokens,
        rating.num_layers,
        sigmoid_output=rating.sigmoid_output,
    )
    del decoder.conv_s0, decoder.conv_s1
    return decoder.to(source.iou_token.weight.device).requires_grad_(True).train()
