"""A frozen encoder with its cache: slices in, embeddings out, each computed once.

encoder = frozen_sam(sam, card, device=setting.device, cache=setting.cache)
kept = encoder.volume(volume)             # a slice an entry, found or computed
x = kept.take([3, 0]).to(device).float()  # (2, C, h, w)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from bench.contract import Volume
from bench.data.slices import Canvas
from bench.models.checkpoints.card import CheckpointCard
from bench.models.checkpoints.normalise import normalise
from bench.models.embeddings.cache import EmbeddingCache, open_cache
from bench.models.embeddings.embedded import Embedded
from bench.models.embeddings.inputs import Inputs, image_inputs, volume_inputs
from bench.models.embeddings.recipe import Recipe, recipe_for

CPU_BATCH, GPU_BATCH = 2, 8
"""Slices at once: larger ones gain nothing on a CPU, and hold up who waits for them."""


@dataclass(frozen=True, eq=False)
class FrozenEncoder:
    """network  normalised slices (B, 3, S, S) -> embeddings (B, C, h, w)
    recipe   what decides them beside the slice
    """

    network: Callable[[Tensor], Tensor]
    card: CheckpointCard
    canvas: Canvas
    device: torch.device
    recipe: Recipe
    cache: EmbeddingCache

    @property
    def batch(self) -> int:
        return GPU_BATCH if self.device.type == "cuda" else CPU_BATCH

    def slices(self, volume: Volume, *, chosen: Sequence[int] | None = None) -> Inputs:
        """Slices of a volume on the canvas, (N, 1, S, S) in [0, 1]; None: all of them."""
        return volume_inputs(volume, self.canvas, slices=chosen)

    def volume(self, volume: Volume, *, chosen: Sequence[int] | None = None) -> Embedded:
        """Embeddings of slices of a volume."""
        slices = self.slices(volume, chosen=chosen)
        return self.inputs(slices, inner=self.inner(volume))

    def views(self, images: Tensor, *, inner: tuple[int, int], augmentation: str) -> Embedded:
        """Embeddings of finished images (N, 1, S, S). They are told apart by their own pixels.

        augmentation: what kind of views they are
        """
        recipe = replace(self.recipe, augmentation=f"{augmentation}, inside {inner}")
        return self.inputs(image_inputs(images), inner=inner, recipe=recipe)

    def inputs(
        self,
        inputs: Inputs,
        *,
        inner: tuple[int, int],
        recipe: Recipe | None = None,
    ) -> Embedded:
        """Embeddings of images that all cover the same rows and columns of the canvas."""
        return self.cache.embed(
            lambda images: self.encode(images, inner),
            inputs,
            recipe=recipe or self.recipe,
            batch=self.batch,
        )

    def inner(self, volume: Volume) -> tuple[int, int]:
        """Rows and columns of the canvas that the volume's slices cover."""
        height, width = volume.image.shape[1:]
        return self.canvas.inner(height, width)

    @torch.inference_mode()
    def encode(self, images: Tensor, inner: tuple[int, int]) -> Tensor:
        """Slices (B, 1, S, S) in [0, 1] -> (B, C, h, w), without the cache.

        The padding is 0 after the normalisation, as SAM pads.
        """
        rows, columns = inner
        grey = normalise(images.to(self.device).expand(-1, 3, -1, -1), self.card)
        grey[..., rows:, :] = 0
        grey[..., columns:] = 0
        return self.network(grey)


def frozen_encoder(
    network: Callable[[Tensor], Tensor],
    card: CheckpointCard,
    *,
    size: int,
    precision: str,
    output: str,
    device: torch.device | str,
    cache: Path | str | None,
) -> FrozenEncoder:
    """precision, output: what the network computes in, and which of its outputs it gives."""
    recipe = recipe_for(card, cache, size=size, precision=precision, output=output)
    return FrozenEncoder(
        network=network,
        card=card,
        canvas=Canvas(size),
        device=torch.device(device),
        recipe=replace(recipe, preprocessing=f"{recipe.preprocessing}, padding 0"),
        cache=open_cache(cache, device=str(device)),
    )
