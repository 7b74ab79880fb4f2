"""SAM on smaller images: the package's numbers at full size, prompts on the grid they are at."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.models.checkpoints import card_of
from bench.models.nano.networks import build_sam, normalised
from bench.models.nano.sam_task import SamTask, draw_objects
from bench.models.nano.small_sam import encoded, set_image_size
from bench.models.sam import make_sam
from bench.models.sam.resize import resize_tables

CARD = card_of("sam", "nano")


def shaken() -> Tensor:
    torch.manual_seed(0)
    sam = build_sam().eval()
    with torch.no_grad():
        for name, value in sam.image_encoder.named_parameters():
            if "pos" in name:
                value.normal_(std=0.3)
    return sam


@torch.no_grad()
def test_at_its_own_size_it_is_the_package() -> None:
    sam, images = shaken(), torch.randn(2, 3, 128, 128)
    torch.testing.assert_close(encoded(sam, images), sam.image_encoder(images), atol=0, rtol=0)


@torch.no_grad()
def test_smaller_it_is_a_sam_built_for_that_size() -> None:
    """Built with its tables resized, as a published checkpoint is for another input size."""
    sam, images = shaken(), torch.randn(2, 3, 64, 64)
    small = make_sam(CARD, image_size=64).eval()
    tables = resize_tables(
        sam.state_dict(),
        native_grid=16,
        grid=8,
        global_blocks=CARD.architecture.global_blocks,
    )
    small.load_state_dict(tables)
    set_image_size(sam, 64)
    torch.testing.assert_close(
        encoded(sam, images), small.image_encoder(images), atol=1e-5, rtol=1e-5
    )
    points = (torch.tensor([[[20.0, 40.0]]]), torch.ones(1, 1))
    masks = torch.randn(1, 1, 32, 32)
    for mine, theirs in zip(
        sam.prompt_encoder(points=points, boxes=None, masks=masks),
        small.prompt_encoder(points=points, boxes=None, masks=masks),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)
    assert sam.prompt_encoder.get_dense_pe().shape == small.prompt_encoder.get_dense_pe().shape
    set_image_size(sam, 128)
    assert sam.prompt_encoder.get_dense_pe().shape[-2:] == (16, 16)


def test_a_training_begins_small_and_ends_at_full_size() -> None:
    task, sizes = SamTask(images=1, each=2), []
    for done in (0.0, 0.59, 0.61, 1.0):
        task.begin(done)
        sizes.append((task.size, task.network.prompt_encoder.input_image_size[0], task.rounds))
    assert sizes == [(64, 64, 1), (64, 64, 1), (128, 128, 2), (128, 128, 2)]


def test_drawings_have_the_size_that_is_asked_for() -> None:
    drawn = draw_objects(2, 3, torch.Generator().manual_seed(0), size=64)
    assert drawn.images.shape == (2, 1, 64, 64)
    assert drawn.masks.shape == (6, 64, 64)
    assert normalised(drawn.images, "sam").shape == (2, 3, 64, 64)
