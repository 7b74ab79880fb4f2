"""SAM 2 without a video: support slices with masks go into its memory, a query slice is asked.

The package's own steps in its own order: a support is a conditioning frame whose mask is given, the
query is the frame after the last support. Gradients flow, so that the nano network trains by the
route on which it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Features:
    """Encoder output of F images: flattened levels (h * w, F, C), their positions and sizes."""

    levels: list[Tensor]
    places: list[Tensor]
    sizes: list[tuple[int, int]]

    def take(self, index: Tensor) -> Features:
        """Images by number, repeats allowed."""
        return Features(
            [level[:, index] for level in self.levels],
            [place[:, index] for place in self.places],
            self.sizes,
        )


@dataclass(frozen=True)
class Answer:
    """Three candidate masks (B, 3, h, w), their predicted IoU (B, 3), object score (B, 1)."""

    masks: Tensor
    quality: Tensor
    present: Tensor

    def best(self) -> Tensor:
        """(B, h, w) logits of the best candidate; nowhere positive where the object is absent."""
        rows = torch.arange(len(self.masks), device=self.masks.device)
        mask = self.masks[rows, self.quality.argmax(dim=1)]
        return torch.where(self.present[:, :, None] > 0, mask, -1024.0)


def set_image_size(network: nn.Module, size: int) -> None:
    """Let a SAM2Base expect another square input; no weight depends on it."""
    net: Any = network
    grid = size // net.backbone_stride
    net.image_size, net.sam_image_embedding_size = size, grid
    prompts = net.sam_prompt_encoder
    prompts.input_image_size = (size, size)
    prompts.image_embedding_size = (grid, grid)
    prompts.mask_input_size = (4 * grid, 4 * grid)


def encoded(network: nn.Module, images: Tensor) -> Features:
    """Features of normalised images (F, 3, S, S)."""
    net: Any = network
    _, levels, places, sizes = net._prepare_backbone_features(net.forward_image(images))
    return Features(levels, places, sizes)


def remembered(network: nn.Module, features: Features, masks: Tensor, supports: int) -> Any:
    """The memory bank of K supports for B objects.

    features: of K * B images, support after support; masks (K * B, 1, S, S) float 0 or 1.
    """
    net: Any = network
    out = net.track_step(
        frame_idx=0,
        is_init_cond_frame=True,
        current_vision_feats=features.levels,
        current_vision_pos_embeds=features.places,
        feat_sizes=features.sizes,
        point_inputs=None,
        mask_inputs=masks,
        output_dict={"cond_frame_outputs": {}, "non_cond_frame_outputs": {}},
        num_frames=supports + 1,
        run_mem_encoder=True,
    )
    frames: dict[int, dict[str, Any]] = {}
    memories = out["maskmem_features"].chunk(supports)
    places = out["maskmem_pos_enc"][-1].chunk(supports)
    pointers = out["obj_ptr"].chunk(supports)
    for k in range(supports):
        frames[k] = {
            "maskmem_features": memories[k],
            "maskmem_pos_enc": [places[k]],
            "obj_ptr": pointers[k],
        }
    return {"cond_frame_outputs": frames, "non_cond_frame_outputs": {}}


def asked(network: nn.Module, features: Features, bank: Any) -> Answer:
    """The masks of B query images under a memory bank, ungated by the object score."""
    net: Any = network
    supports = len(bank["cond_frame_outputs"])
    pixels = net._prepare_memory_conditioned_features(
        frame_idx=supports,
        is_init_cond_frame=False,
        current_vision_feats=features.levels[-1:],
        current_vision_pos_embeds=features.places[-1:],
        feat_sizes=features.sizes[-1:],
        output_dict=bank,
        num_frames=supports + 1,
    )
    count = pixels.shape[0]
    nothing = (
        torch.zeros(count, 1, 2, device=pixels.device),
        -torch.ones(count, 1, dtype=torch.int32, device=pixels.device),
    )
    sparse, dense = net.sam_prompt_encoder(points=nothing, boxes=None, masks=None)
    fine = [
        level.permute(1, 2, 0).unflatten(2, size)
        for level, size in zip(features.levels[:-1], features.sizes[:-1], strict=True)
    ]
    masks, quality, _, present = net.sam_mask_decoder(
        image_embeddings=pixels,
        image_pe=net.sam_prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=True,
        repeat_image=False,
        high_res_features=fine,
    )
    return Answer(masks.float(), quality.float(), present.float())


def answered(network: nn.Module, features: Features, masks: Tensor) -> Answer:
    """Answers for the last slice of N episodes, M objects each, object after object.

    features: of N * (K + 1) images, episode after episode; masks (N, M, K, S, S) bool.
    """
    count, objects, supports = masks.shape[:3]
    frames = supports + 1
    owner = torch.arange(count, device=masks.device).repeat_interleave(objects) * frames
    shown = torch.cat([owner + k for k in range(supports)])
    given = masks.permute(2, 0, 1, 3, 4).flatten(0, 2)[:, None].float()
    bank = remembered(network, features.take(shown), given, supports)
    return asked(network, features.take(owner + supports), bank)
