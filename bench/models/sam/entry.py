"""How a slice enters a SAM: the side of its canvas, three channels, and the values it expects."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from bench.errors import unknown
from bench.models.checkpoints.card import CheckpointCard
from bench.models.checkpoints.normalise import normalise
from bench.options import AUTO, given

FEW_SHOT_SIZE = 512
"""Published few-shot runs of SAM ViT-B see this size; 256 was reported to be clearly worse and
larger ones little different."""

VALUES = ("auto", "checkpoint", "unit")


@dataclass(frozen=True)
class SamEntry:
    """size        side of the square canvas, in pixels
    normalised  by the checkpoint's own rule; False: grey values stay in [0, 1]
    """

    card: CheckpointCard
    size: int
    normalised: bool

    def __call__(self, images: Tensor) -> Tensor:
        """Slices (B, 1, S, S) in [0, 1] -> what the encoder takes, (B, 3, S, S)."""
        grey = images.expand(-1, 3, -1, -1)
        return normalise(grey, self.card) if self.normalised else grey


def sam_entry(
    card: CheckpointCard, *, image_size: int | str = AUTO, values: str = "auto"
) -> SamEntry:
    """image_size  "auto": the checkpoint's own size, at most 512 px; half of it for the small
                networks that come with the package, which a CPU then trains four times as fast
    values      "checkpoint": its own normalisation. "unit": [0, 1], as prompt-free adaptations of
                the published weights were made. "auto": "checkpoint" for the small networks that
                come with the package, which never saw anything else; "unit" for published ones
    """
    if values not in VALUES:
        raise unknown("kind of input values", values, VALUES)
    own = values == "checkpoint" or (values == "auto" and card.ours)
    fitting = card.input_size // 2 if card.ours else min(card.input_size, FEW_SHOT_SIZE)
    size = given(image_size, fitting)
    return SamEntry(card=card, size=size, normalised=own)
