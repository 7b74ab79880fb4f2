"""A SAM 2.1 of the package's own classes, from its own configuration files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch

from bench.errors import RequestError
from bench.models.checkpoints.card import Sam2Card
from bench.models.checkpoints.file import checkpoint_file
from bench.models.checkpoints.fill import fill, freeze, same_randomness
from bench.models.checkpoints.reading import read_weights
from bench.models.sam2.package import model_config

if TYPE_CHECKING:
    from sam2.sam2_video_predictor import SAM2VideoPredictor

STRIDE = 16
"""Pixels a cell of the coarsest map that memory and decoder see."""
COARSEST = 32
"""Pixels a cell of the encoder's last stage: the input's side must be a multiple of it."""


def make_sam2(card: Sam2Card, *, image_size: int | None = None) -> SAM2VideoPredictor:
    """The architecture with random weights, trainable, without the package's post-processing.

    A SAM2VideoPredictor is a SAM2Base (`forward_image`, `track_step`, ...) that can also propagate
    through a video.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    size = card.input_size if image_size is None else image_size
    if size <= 0 or size % COARSEST:
        raise RequestError(
            f"{card.family} {card.name}: an image size of {size} is no multiple of {COARSEST}"
        )
    # The rotary codes are made for this grid; another one would be computed at every call.
    grid = {"feat_sizes": [size // STRIDE, size // STRIDE]}
    ours = {
        "_target_": "sam2.sam2_video_predictor.SAM2VideoPredictor",
        "image_size": size,
        "memory_attention": {"layer": {"self_attention": grid, "cross_attention": grid}},
    }
    try:
        base = model_config(card.architecture.config)
        config = OmegaConf.merge(base, card.architecture.changes, ours)
        with _tables_on_the_cpu():
            return cast("SAM2VideoPredictor", instantiate(config, _recursive_=True))
    except (OmegaConfBaseException, InstantiationException) as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise RequestError(
            f"{card.family} {card.name}: sam2 cannot be built from its card: {reason}"
        ) from error


@contextmanager
def _tables_on_the_cpu() -> Iterator[None]:
    """The package puts its tables of positions on the first GPU that it sees, whatever the model is
    for."""
    from sam2.modeling.sam import transformer  # noqa: F401  # asks for the GPU's kernels at import

    asked = torch.cuda.is_available
    torch.cuda.is_available = lambda: False
    try:
        yield
    finally:
        torch.cuda.is_available = asked


def build_sam2(
    card: Sam2Card,
    *,
    image_size: int | None = None,
    device: str | torch.device = "cpu",
    cache: Path | str | None = None,
) -> SAM2VideoPredictor:
    """The card's SAM 2.1 with its weights: evaluation mode, frozen, on the device.

    image_size: side of the square input, a multiple of 32; None: the checkpoint's own. No weight
    depends on it.
    """
    with same_randomness():
        sam2 = make_sam2(card, image_size=image_size)
    path = checkpoint_file(card, cache)
    fill(sam2, read_weights(path, nesting=card.nesting), source=str(path))
    freeze(sam2, device)
    for part in sam2.modules():
        if hasattr(part, "freqs_cis"):  # a table that is no buffer, and does not move along
            part.freqs_cis = part.freqs_cis.to(device)
    return sam2
