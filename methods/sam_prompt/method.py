"""SAM or SAM 2 as published, asked with a point or a box that is made from the reference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.contract import Setting, Volume
from bench.errors import RequestError
from bench.models.logits import ABSENT, labels_of
from methods.sam_prompt.asking import Prompts, Row, best_candidates, objects_of, prompts_for
from methods.sam_prompt.families import FAMILIES, Family, PromptedSam2
from methods.sam_prompt.middle import segmented_from_middle

CANDIDATE = {"point": "rated", "point_neg": "single", "box": "single"}
"""For `candidate=auto`: one point is ambiguous, more is not."""
SLICES = 8
"""At a time."""


class SamPrompt:
    """Nothing is learned, so there is nothing to adapt and nothing to save."""

    def __init__(self, options: SimpleNamespace, setting: Setting) -> None:
        self.options, self.setting = options, setting
        self.classes = len(setting.classes)
        auto = options.candidate == "auto"
        self.candidate = CANDIDATE[options.prompt] if auto else options.candidate
        self.family: Family = FAMILIES[options.family](
            setting, image_size=options.image_size, precision=options.precision
        )
        if options.slices == "middle" and not isinstance(self.family, PromptedSam2):
            raise RequestError("slices=middle needs a memory: take family=sam2")

    @torch.inference_mode()
    def predict(self, volume: Volume) -> np.ndarray:
        """`volume.label` is the reference: the card says that it is needed. Where it shows nothing
        there is no prompt, and nothing is predicted."""
        result = np.zeros(volume.image.shape, dtype=np.uint8)
        rows = objects_of(volume, self.classes)
        if self.options.slices == "middle":
            assert isinstance(self.family, PromptedSam2)
            return segmented_from_middle(
                self.family, volume, rows, self._prompts, candidate=self.candidate
            )
        shown = sorted({row.z for row in rows})
        for start in range(0, len(shown), SLICES):
            at = shown[start : start + SLICES]
            logits = self._logits(volume, at, [row for row in rows if row.z in at])
            result[at] = labels_of(logits, self.family.canvas, volume.image.shape)
        return result

    def _logits(self, volume: Volume, at: Sequence[int], rows: Sequence[Row]) -> Tensor:
        """(n, K, h, w) of slices `at`; absent where the reference is."""
        canvas, device = self.family.canvas, torch.device(self.setting.device)
        owner = torch.tensor([at.index(row.z) for row in rows], device=device)
        kind = torch.tensor([row.kind for row in rows], device=device)
        masks, quality = self.family.candidates(
            self.family.embedded(volume, at),
            owner,
            self._prompts(rows, volume),
            several=self.candidate != "single",
        )
        best = best_candidates(masks, quality, rows, canvas, candidate=self.candidate)
        logits = torch.full((len(at), self.classes, *masks.shape[-2:]), ABSENT, device=device)
        logits[owner, kind] = masks[torch.arange(len(best), device=device), best]
        return logits

    def _prompts(self, rows: Sequence[Row], volume: Volume) -> Prompts:
        return prompts_for(
            rows,
            volume,
            self.family.canvas,
            prompt=self.options.prompt,
            jitter=self.options.jitter,
            seed=self.setting.seed,
        )

    def parameters(self) -> Iterable[Tensor]:
        """All of them frozen."""
        return self.family.parameters()

    def state_dict(self) -> Mapping[str, Any]:
        return {"nothing": np.zeros(0, dtype=np.uint8)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """There is nothing to load."""
