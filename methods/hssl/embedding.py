"""What `groups=auto` looks at: the mean class token of DINO over slices of each dataset."""

from __future__ import annotations

import numpy as np
import torch

from bench.contract import Setting
from bench.models.checkpoints import card_of
from bench.models.checkpoints.normalise import normalise
from bench.models.dino import build_dino
from bench.train.precision import Precision, autocast, resolve_precision
from methods.hssl.pool import DomainPool

BATCH = 8


class Embedder:
    """Slices of a dataset -> one vector."""

    def __init__(self, setting: Setting, *, precision: Precision) -> None:
        self.card = card_of("dino", setting.backbone["dino"])
        self.device = torch.device(setting.device)
        self.dino = build_dino(self.card, device=self.device, cache=setting.cache)
        self.precision = resolve_precision(precision, self.device)

    @torch.no_grad()
    def mean(self, pool: DomainPool, task: int, *, slices: int) -> np.ndarray:
        """(C,), the mean of unit vectors. Slices are resized to the checkpoint's own input."""
        size = self.card.input_size
        found = []
        for grey in pool.some(task, slices).split(BATCH):
            images = torch.nn.functional.interpolate(
                grey.to(self.device), size=(size, size), mode="bilinear", antialias=True
            )
            with autocast(self.precision, self.device):
                tokens = self.dino(normalise(images.expand(-1, 3, -1, -1), self.card))
            found.append(torch.nn.functional.normalize(tokens.float(), dim=-1))
        return torch.cat(found).mean(0).cpu().numpy()
