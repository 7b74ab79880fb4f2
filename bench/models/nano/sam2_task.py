"""Training of the nano SAM 2: an object shown in one to four slices, to be found in another."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.models.nano.affinity import Affinity, labels_at
from bench.models.nano.drawing.episodes import draw_episodes
from bench.models.nano.memory_route import answered, encoded, set_image_size
from bench.models.nano.networks import build_sam2, nano_card, normalised
from bench.models.nano.overlap import iou
from bench.models.sam2.encode import Features
from bench.train.mask_losses import mask_focal_dice

MOST_SUPPORTS = 4
AFFINITY = 0.5  # weight of the encoder's helper task
SMALL_UNTIL = 0.75  # until then the training sees 128 px: four times more episodes a second


class Sam2Task(nn.Module):
    """One step: N episodes with the same number of supports, several objects each."""

    def __init__(self, episodes: int = 6, objects: int = 3) -> None:
        super().__init__()
        self.network = build_sam2()
        self.affinity = Affinity(self.network.hidden_dim)
        self.episodes, self.objects = episodes, objects
        self.size = nano_card("sam2").input_size

    def begin(self, done: float) -> None:
        """Choose the image size for a training of which the share `done` is over."""
        full = nano_card("sam2").input_size
        self.size = full if done >= SMALL_UNTIL else full // 2
        set_image_size(self.network, self.size)

    def loss(self, generator: torch.Generator, device: torch.device) -> dict[str, Tensor]:
        """The loss of one batch drawn from the generator, and figures to log."""
        supports = int(torch.randint(1, MOST_SUPPORTS + 1, (1,), generator=generator))
        drawn = draw_episodes(self.episodes, supports, self.objects, self.size, generator)
        images = normalised(drawn.images.to(device), "sam2")
        masks = drawn.masks.to(device)
        features = encoded(self.network, images.flatten(0, 1))
        helper = self._helper(features, drawn.label.to(device))
        answer = answered(self.network, features, masks[:, :, :-1])
        target = F.avg_pool2d(masks[:, :, -1].flatten(0, 1)[:, None].float(), 4)
        there = target.flatten(1).any(dim=1)
        truth = target.expand_as(answer.masks)
        each = mask_focal_dice(answer.masks, truth)
        overlap = iou(answer.masks, truth)
        # Masks of absent objects are not taught: the object score decides about them.
        count = there.sum().clamp(min=1)
        shape = (each.min(dim=1).values * there).sum() / count
        judged = ((answer.quality - overlap).abs().mean(dim=1) * there).sum() / count
        score = answer.present[:, 0]
        seen = F.binary_cross_entropy_with_logits(score, there.float())
        picked = iou(answer.best(), target[:, 0])
        return {
            "loss": shape + judged + seen + AFFINITY * helper,
            "iou": (picked * there).sum() / count,
            "affinity": helper.detach(),
            "score": ((score > 0) == there).float().mean(),
            "supports": torch.tensor(float(supports)),
        }

    def _helper(self, features: Features, label: Tensor) -> Tensor:
        """Does a position of the query show the same structure as one of the first support?

        label (N, K + 1, H, H). Structures keep their number from slice to slice.
        """
        count, frames = label.shape[:2]
        tokens = features.s16.flatten(2).transpose(1, 2).unflatten(0, (count, frames))
        side = features.s16.shape[-1]
        known = labels_at(label.flatten(0, 1), side).view(count, frames, -1)
        return self.affinity(tokens[:, -1], tokens[:, 0], known[:, -1], known[:, 0])
