"""SAM 2 without a video: slices with masks go into its memory, another slice is asked.

    shown = remember(sam2, encode(sam2, images), masks)       # one memory a mask
    answer = ask(sam2, encode(sam2, query), [shown])
    answer.best()                                             # (B, h, w) logits

The package's own steps in its own order. What is shown are conditioning frames whose masks are
given, before the query: a frame after it would lose its object pointer. Gradients flow, so that a
network can be trained by the route on which it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bench.models.logits import ABSENT
from bench.models.sam2.encode import Features


@dataclass(frozen=True, eq=False)
class Memory:
    """What SAM 2 keeps of B masked slices: spatial (B, M, h, w), pointer (B, C)."""

    spatial: Tensor
    pointer: Tensor

    def take(self, index: Tensor) -> Memory:
        """By number, repeats allowed."""
        return Memory(self.spatial[index], self.pointer[index])


@dataclass(frozen=True, eq=False)
class Answer:
    """Three candidates: masks (B, 3, h, w), their predicted IoU (B, 3), output tokens (B, 3, C);
    object score (B, 1)."""

    masks: Tensor
    quality: Tensor
    present: Tensor
    tokens: Tensor

    def best(self) -> Tensor:
        """(B, h, w) logits of the best candidate; nowhere positive where the object is absent."""
        return torch.where(self.present[:, :, None] > 0, self._picked(self.masks), ABSENT)

    def token(self) -> Tensor:
        """(B, C), the best candidate's."""
        return self._picked(self.tokens)

    def _picked(self, each: Tensor) -> Tensor:
        rows = torch.arange(len(each), device=each.device)
        return each[rows, self.quality.argmax(dim=1)]


def rows_of(features: Features, index: Tensor) -> Features:
    """Images by number, repeats allowed: one for every object that is looked for in it."""
    return Features(features.s4[index], features.s8[index], features.s16[index])


def remember(sam2: nn.Module, features: Features, masks: Tensor) -> Memory:
    """The memories of B images with their masks (B, 1, S, S), float 0 or 1.

    An empty mask is a memory too: that the object is absent.
    """
    net: Any = sam2
    levels, sizes = _flat(features)
    out = net.track_step(
        frame_idx=0,
        is_init_cond_frame=True,
        current_vision_feats=levels,
        current_vision_pos_embeds=[],
        feat_sizes=sizes,
        point_inputs=None,
        mask_inputs=masks,
        output_dict={"cond_frame_outputs": {}, "non_cond_frame_outputs": {}},
        num_frames=1,
        run_mem_encoder=True,
    )
    return Memory(out["maskmem_features"], out["obj_ptr"])


def remember_answer(
    sam2: nn.Module, features: Features, logits: Tensor, token: Tensor, present: Tensor
) -> Memory:
    """The memories of B images with the masks that SAM 2 has found in them.

    logits (B, h, w), gated by the object score; token (B, C); present (B, 1).
    """
    net: Any = sam2
    levels, sizes = _flat(features)
    full = nn.functional.interpolate(
        logits[:, None], size=(net.image_size,) * 2, mode="bilinear", align_corners=False
    )
    spatial, _ = net._encode_new_memory(
        current_vision_feats=levels,
        feat_sizes=sizes,
        pred_masks_high_res=full,
        object_score_logits=present,
        is_mask_from_pts=False,
    )
    there = (present > 0).float()
    pointer = there * net.obj_ptr_proj(token) + (1 - there) * net.no_obj_ptr
    return Memory(spatial, pointer)


def ask(
    sam2: nn.Module,
    features: Features,
    given: Sequence[Memory],
    found: Sequence[Memory] = (),
    *,
    gap: int = 0,
    frames: int | None = None,
) -> Answer:
    """What B objects look like in B images, ungated by the object score.

    given   memories of masks that are known, (B, ...) each, the most similar last
    found   memories of SAM 2's own answers, the nearest slice last. The package looks at the last
            six, and at the pointers of the last fifteen
    gap     slices between the two that are left out; they count as time for the pointers
    frames  length of the video that all this is a part of; None: it ends with the query
    """
    net: Any = sam2
    levels, sizes = _flat(features)
    place = net.image_encoder.neck.position_encoding(features.s16)
    first = len(given) + gap
    now = first + len(found)
    pixels = net._prepare_memory_conditioned_features(
        frame_idx=now,
        is_init_cond_frame=False,
        current_vision_feats=levels[-1:],
        current_vision_pos_embeds=[place.flatten(2).permute(2, 0, 1)],
        feat_sizes=sizes[-1:],
        output_dict={
            "cond_frame_outputs": {n: _frame(net, each) for n, each in enumerate(given)},
            "non_cond_frame_outputs": {first + n: _frame(net, e) for n, e in enumerate(found)},
        },
        num_frames=frames or now + 1,
    )
    count = len(pixels)
    nothing = (
        torch.zeros(count, 1, 2, device=pixels.device),
        -torch.ones(count, 1, dtype=torch.int32, device=pixels.device),
    )
    return decoded(sam2, features, pixels, points=nothing)


def decoded(
    sam2: nn.Module,
    features: Features,
    pixels: Tensor,
    *,
    points: tuple[Tensor, Tensor],
    several: bool = True,
) -> Answer:
    """The mask decoder on conditioned pixels (B, C, h, w).

    points   (B, P, 2) x and y on the input, (B, P): 1 inside, 0 outside, 2 and 3 corners of a box,
             -1 none
    several  three candidates, or the one mask for prompts that leave no doubt
    """
    net: Any = sam2
    sparse, dense = net.sam_prompt_encoder(points=points, boxes=None, masks=None)
    masks, quality, tokens, present = net.sam_mask_decoder(
        image_embeddings=pixels,
        image_pe=net.sam_prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=several,
        repeat_image=False,
        high_res_features=[features.s4, features.s8],
    )
    return Answer(masks.float(), quality.float(), present.float(), tokens.float())


def _flat(features: Features) -> tuple[list[Tensor], list[tuple[int, int]]]:
    """The package's form: (h * w, B, C) a level and its size, finest first."""
    maps = (features.s4, features.s8, features.s16)
    levels = [each.flatten(2).permute(2, 0, 1) for each in maps]
    return levels, [(each.shape[-2], each.shape[-1]) for each in maps]


def _frame(net: Any, memory: Memory) -> dict[str, Any]:
    place = net.memory_encoder.position_encoding(memory.spatial)
    return {
        "maskmem_features": memory.spatial,
        "maskmem_pos_enc": [place],
        "obj_ptr": memory.pointer,
    }
