"""SAM and SAM 2, asked with prompts: candidates and how good they rate them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from bench.contract import Setting, Volume
from bench.data.slices import Canvas
from bench.models.checkpoints import card_of
from bench.models.sam import build_sam
from bench.models.sam.frozen import frozen_sam
from bench.models.sam.prompts import encode_prompts
from bench.models.sam.rows import decode_rows
from bench.models.sam2.encode import Features
from bench.models.sam2.memory import Answer, decoded, rows_of
from bench.models.sam2.slices import sam2_slices
from bench.options import given
from bench.train.precision import Precision, autocast, resolve_precision
from methods.sam_prompt.asking import Prompts


class Family(Protocol):
    canvas: Canvas

    def embedded(self, volume: Volume, slices: Sequence[int]) -> Any:
        """Slices of a volume as `candidates` takes them."""

    def candidates(
        self, embedded: Any, owner: Tensor, prompts: Prompts, *, several: bool
    ) -> tuple[Tensor, Tensor]:
        """Masks (R, M, h, w) and their predicted IoU (R, M), M = 3 or 1; owner (R,): which slice
        of the embedded ones a row is about."""

    def parameters(self) -> Iterable[Tensor]: ...


class PromptedSam:
    """Embeddings are cached: all prompts ask about the same ones."""

    def __init__(
        self, setting: Setting, *, image_size: str | int = "auto", precision: Precision = "auto"
    ) -> None:
        card = card_of("sam", setting.backbone["sam"])
        self.device = torch.device(setting.device)
        self.precision = resolve_precision(precision, setting.device)
        self.sam = build_sam(
            card,
            image_size=given(image_size, card.input_size),
            device=setting.device,
            cache=setting.cache,
        )
        self.encoder = frozen_sam(
            self.sam, card, device=setting.device, cache=setting.cache, precision=precision
        )
        self.canvas = self.encoder.canvas

    def embedded(self, volume: Volume, slices: Sequence[int]) -> Tensor:
        kept = self.encoder.volume(volume, chosen=slices)
        return kept.take().to(self.device).float()

    def candidates(
        self, embedded: Tensor, owner: Tensor, prompts: Prompts, *, several: bool
    ) -> tuple[Tensor, Tensor]:
        at, boxes = prompts.points.to(self.device), prompts.boxes
        points = (at, prompts.labels.to(self.device)) if boxes is None else None
        with autocast(self.precision, self.device):
            sparse, dense = encode_prompts(
                self.sam.prompt_encoder, points, None if boxes is None else at.flatten(1), None
            )
            masks, quality = decode_rows(self.sam, embedded[owner], sparse, dense)
        return (masks[:, 1:], quality[:, 1:]) if several else (masks[:, :1], quality[:, :1])

    def parameters(self) -> Iterable[Tensor]:
        return self.sam.parameters()


class PromptedSam2:
    """The image as a first frame, without memory, as the package's image predictor asks."""

    def __init__(
        self, setting: Setting, *, image_size: str | int = "auto", precision: Precision = "auto"
    ) -> None:
        self.slices = sam2_slices(setting, image_size=image_size, precision=precision)
        self.canvas = self.slices.canvas

    def embedded(self, volume: Volume, slices: Sequence[int]) -> Features:
        return self.slices.encoder(volume)(slices)

    def candidates(
        self, embedded: Features, owner: Tensor, prompts: Prompts, *, several: bool
    ) -> tuple[Tensor, Tensor]:
        answer = self.answer(rows_of(embedded, owner), prompts, several=several)
        return answer.masks, answer.quality

    def answer(self, rows: Features, prompts: Prompts, *, several: bool) -> Answer:
        """The same with what the memory of an answer is made of; a row an image."""
        sam2, device = self.slices.sam2, self.slices.device
        pixels = rows.s16 + sam2.no_mem_embed.reshape(1, -1, 1, 1)
        points = (prompts.points.to(device), prompts.labels.to(device))
        with autocast(self.slices.precision, device):
            return decoded(sam2, rows, pixels, points=points, several=several)

    def parameters(self) -> Iterable[Tensor]:
        return self.slices.sam2.parameters()


FAMILIES: dict[str, type[PromptedSam] | type[PromptedSam2]] = {
    "sam": PromptedSam,
    "sam2": PromptedSam2,
}
