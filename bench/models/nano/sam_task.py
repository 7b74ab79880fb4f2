"""Training of the nano SAM: promptable segmentation of drawn objects."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.models.nano.affinity import Affinity, labels_at
from bench.models.nano.drawing.fields import uniform
from bench.models.nano.drawing.look import random_looks, shown
from bench.models.nano.drawing.raster import label_maps
from bench.models.nano.drawing.scene import random_scenes
from bench.models.nano.drawing.targets import random_objects
from bench.models.nano.networks import build_sam, nano_card, normalised
from bench.models.nano.overlap import iou
from bench.models.nano.prompts import box_around, correction, point_in, rough_logits
from bench.models.nano.small_sam import encoded, set_image_size
from bench.models.nano.start import settle_sam
from bench.models.sam.rows import best_of_three, decode_rows
from bench.train.mask_losses import mask_focal_dice

POINTS, BOXES = 0.6, 0.25  # share of first prompts; the rest are coarse masks
AFFINITY = 0.5  # weight of the encoder's helper task
CORRECT_FROM = 0.6
SMALL_UNTIL = 0.6
"""Share of the training that sees images of half the side."""


@dataclass(frozen=True)
class Drawn:
    """N images and M objects in them."""

    images: Tensor  # (N, 1, H, H) in [0, 1]
    label: Tensor  # (N, H, H) uint8
    number: Tensor  # (M,) the image of every object
    masks: Tensor  # (M, H, H) bool


def draw_objects(
    images: int, each: int, generator: torch.Generator, *, size: int | None = None
) -> Drawn:
    """Images with several objects each. size: in pixels; None: the network's own."""
    size = nano_card("sam").input_size if size is None else size
    scene = random_scenes(images, generator)
    label = label_maps(scene, uniform(-0.7, 0.7, images, generator=generator), size)
    picture = shown(label, random_looks(scene, generator), generator)
    number, mask = random_objects(scene, label, each, generator)
    return Drawn(picture, label, number, mask)


class SamTask(nn.Module):
    """One step: N images, several objects each, a first prompt, later corrections too."""

    def __init__(self, images: int = 8, each: int = 4) -> None:
        super().__init__()
        self.network = build_sam()
        settle_sam(self.network)
        self.affinity = Affinity(self.network.prompt_encoder.embed_dim)
        self.images, self.each, self.rounds = images, each, 1
        self.size = nano_card("sam").input_size

    def begin(self, done: float) -> None:
        """First prompts alone until the share CORRECT_FROM of the training is over, on small images
        until SMALL_UNTIL of it is."""
        full = nano_card("sam").input_size
        self.rounds = 1 if done < CORRECT_FROM else 2
        self.size = full // 2 if done < SMALL_UNTIL else full
        set_image_size(self.network, self.size)

    def loss(self, generator: torch.Generator, device: torch.device) -> dict[str, Tensor]:
        """The loss of one batch drawn from the generator, and figures to log."""
        sam = self.network
        drawn = draw_objects(self.images, self.each, generator, size=self.size)
        mask = drawn.masks
        features = encoded(sam, normalised(drawn.images.to(device), "sam"))
        tokens = features.flatten(2).transpose(1, 2)
        known = labels_at(drawn.label, features.shape[-1]).to(device)
        helper = self.affinity(tokens, tokens, known, known)
        embedding = features[drawn.number.to(device)]
        small = F.avg_pool2d(mask[:, None].float(), 2)[:, 0].to(device)
        # Shuffled by nature: objects of one image stand together, so deal the kinds out in turn.
        share = (torch.arange(len(mask)) * 7 % 20) / 20
        order = torch.argsort(
            (share >= POINTS).int() + (share >= POINTS + BOXES).int(), stable=True
        )
        embedding, small, mask = embedding[order], small[order], mask[order]
        a = int((share < POINTS).sum())
        b = a + int(((share >= POINTS) & (share < POINTS + BOXES)).sum())

        points = point_in(mask, generator)[:, None]
        labels = torch.ones(len(mask), 1)
        labels[b:] = -1.0  # a mask prompt comes with "not a point"
        boxes = box_around(mask[a:b], generator)
        logits = torch.zeros(len(mask), 1, *small.shape[-2:])
        logits[b:] = rough_logits(mask[b:], small.shape[-1], generator)
        has_mask = torch.arange(len(mask)) >= b

        total = torch.zeros((), device=device)
        figures: dict[str, Tensor] = {"affinity": helper.detach()}
        for turn in range(self.rounds):
            sparse, dense = self._prompted(points, labels, boxes, logits, has_mask, (a, b), device)
            masks, quality = decode_rows(sam, embedding, sparse, dense)
            truth = small[:, None].expand_as(masks)
            each = mask_focal_dice(masks, truth)
            overlap = iou(masks, truth)
            error = (quality - overlap) ** 2
            if turn == 0:
                # One prompt is ambiguous: only the best of three masks is taught.
                total = total + each[:, 1:].min(dim=1).values.mean() + error[:, 1:].mean()
                picked = best_of_three(masks, quality)
                figures["iou_point"] = iou(picked, small)[:a].mean()
                figures["iou_box"] = iou(picked, small)[a:b].mean()
            else:
                picked = masks[:, 0]
                figures["iou_last"] = overlap[:, 0].mean()
            total = total + each[:, 0].mean() + error[:, 0].mean()
            logits = picked.detach()[:, None].cpu()
            guess = F.interpolate(logits, size=mask.shape[-2:], mode="bilinear")[:, 0] > 0
            point, label = correction(guess, mask, generator)
            points = torch.cat([points, point[:, None]], dim=1)
            labels = torch.cat([labels, label[:, None]], dim=1)
            has_mask = torch.ones_like(has_mask)
        return {"loss": total / self.rounds + AFFINITY * helper, **figures}

    def _prompted(
        self,
        points: Tensor,
        labels: Tensor,
        boxes: Tensor,
        logits: Tensor,
        has_mask: Tensor,
        ends: tuple[int, int],
        device: torch.device,
    ) -> tuple[Tensor, Tensor]:
        """Sparse (M, T, C) and dense (M, C, h, w) prompt embeddings.

        Objects [a, b) have a box instead of the first point: two corners, where the others have
        one point and the padding point, so all have the same number of tokens.
        """
        (a, b), encoder = ends, self.network.prompt_encoder
        at, say = points.to(device), labels.to(device)
        free, _ = encoder(points=(at, say), boxes=None, masks=None)
        later = (at[a:b, 1:], say[a:b, 1:]) if points.shape[1] > 1 else None
        boxed, _ = encoder(points=later, boxes=boxes.to(device), masks=None)
        sparse = torch.cat([free[:a], boxed, free[b:]])
        drawn = encoder.mask_downscaling(logits.to(device))
        none = encoder.no_mask_embed.weight[:, :, None, None]
        return sparse, torch.where(has_mask.to(device)[:, None, None, None], drawn, none)
