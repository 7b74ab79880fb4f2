"""A prompt in the middle slice of a structure; SAM 2's memory takes it through the volume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from bench.contract import Volume
from bench.models.sam2.memory import Answer, remember_answer
from bench.models.sam2.pool import Pool, patient_number
from bench.models.sam2.recall import recall_volume
from bench.train.precision import autocast
from methods.sam_prompt.asking import Prompts, Row, best_candidates
from methods.sam_prompt.families import PromptedSam2


def segmented_from_middle(
    family: PromptedSam2,
    volume: Volume,
    rows: Sequence[Row],
    prompts: Callable[[Sequence[Row], Volume], Prompts],
    *,
    candidate: str,
) -> np.ndarray:
    """(D, H, W) uint8, structure after structure: the highest logit above 0 keeps a voxel."""
    result = np.zeros(volume.image.shape, dtype=np.uint8)
    highest = np.zeros(volume.image.shape, dtype=np.float32)
    height, width = volume.image.shape[1:]
    encode = family.slices.encoder(volume)
    for kind, of_kind in groupby(sorted(rows, key=lambda row: row.kind), lambda row: row.kind):
        shown = list(of_kind)
        middle = shown[len(shown) // 2]
        features = encode([middle.z])
        answer = family.answer(features, prompts([middle], volume), several=candidate != "single")
        best = best_candidates(
            answer.masks, answer.quality, [middle], family.canvas, candidate=candidate
        )
        answer = _only(answer, int(best))
        with autocast(family.slices.precision, family.slices.device):
            memory = remember_answer(
                family.slices.sam2, features, answer.best(), answer.token(), answer.present
            )
            pool = Pool(
                spatial=memory.spatial[:, None].to(torch.bfloat16),
                pointer=memory.pointer[:, None].float(),
                present=torch.ones(1, 1, dtype=torch.bool),
                patient=torch.tensor([patient_number(volume.patient)]),
            )
            found: dict[int, Tensor] = {middle.z: answer.best()}
            found |= recall_volume(
                family.slices.sam2,
                encode,
                [[(0,)]] * len(result),
                pool,
                memory=family.slices.sam2.max_obj_ptrs_in_encoder - 1,
                start=middle.z,
                known=True,
            )
        for z, logits in found.items():
            native = family.canvas.scores_back(logits[None].float(), height, width)[0, 0]
            higher = native.cpu().numpy() > highest[z]
            highest[z][higher] = native.cpu().numpy()[higher]
            result[z][higher] = kind + 1
    return result


def _only(answer: Answer, number: int) -> Answer:
    """The answer with one candidate left."""
    at = slice(number, number + 1)
    return Answer(answer.masks[:, at], answer.quality[:, at], answer.present, answer.tokens[:, at])
