"""The specification's 2D U-Net: its encoder and its decoder are pre-trained one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.errors import RequestError

LEVELS = 5
DIVISOR = 2 ** (LEVELS - 1)


GROUPS = 8
"""Of channels, for `norm="group"`; fewer where there are fewer channels."""


def double(given: int, width: int, norm: str) -> nn.Sequential:
    """(3x3 convolution, norm, leaky ReLU) twice."""
    layers: list[nn.Module] = []
    for source in (given, width):
        layers += [
            nn.Conv2d(source, width, 3, padding=1, bias=False),
            nn.GroupNorm(min(GROUPS, width) if norm == "group" else width, width),
            nn.LeakyReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class Encoder(nn.Module):
    def __init__(self, widths: Sequence[int], norm: str) -> None:
        super().__init__()
        given = [1, *widths[:-1]]
        self.blocks = nn.ModuleList(double(a, b, norm) for a, b in zip(given, widths, strict=True))

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, 1, S, S) in [0, 1] -> a map a level, the finest first: (B, w, S / 2^i, S / 2^i)."""
        maps: list[Tensor] = []
        x = zscored(images)
        for block in self.blocks:
            x = block(F.max_pool2d(x, 2) if maps else x)
            maps.append(x)
        return maps


class Decoder(nn.Module):
    def __init__(self, widths: Sequence[int], norm: str) -> None:
        super().__init__()
        below = list(widths)[::-1]
        self.blocks = nn.ModuleList(
            double(deep + skip, skip, norm) for deep, skip in pairwise(below)
        )

    def forward(self, maps: Sequence[Tensor], *, blocks: int | None = None) -> Tensor:
        """The encoder's maps -> the last block's (B, w, S, S), or that of the first so many."""
        x = maps[-1]
        for block, skip in zip(self.blocks[:blocks], reversed(maps[:-1]), strict=False):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = block(torch.cat([x, skip], dim=1))
        return x


class UNet(nn.Module):
    """Slices (B, 1, S, S) in [0, 1] -> scores (B, K + 1, S, S)."""

    def __init__(self, *, classes: int, width: int, size: int, norm: str = "instance") -> None:
        """norm: "instance", or "group" of channels, which keeps how strong they are together."""
        super().__init__()
        check_size("image_size", size)
        self.size, self.width = size, width
        self.widths = [width * 2**level for level in range(LEVELS)]
        self.encoder, self.decoder = Encoder(self.widths, norm), Decoder(self.widths, norm)
        self.head = nn.Conv2d(width, classes + 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.decoder(self.encoder(images)))

    @property
    def deep_width(self) -> int:
        return self.widths[-1]

    def deep(self, images: Tensor) -> Tensor:
        """The pooled bottleneck: (B, deep_width)."""
        return self.encoder(images)[-1].mean((2, 3))

    def blocks_to(self, level: int) -> int:
        """How many of the decoder's blocks there are up to the `level`-th from the last."""
        return len(self.decoder.blocks) - level + 1

    def shallow(self, images: Tensor, level: int) -> Tensor:
        """The decoder's map at the `level`-th block from the last, its encoder left as it is."""
        with torch.no_grad():
            maps = self.encoder(images)
        return self.decoder(maps, blocks=self.blocks_to(level))


def check_size(option: str, size: int) -> None:
    """The deepest level needs whole cells, and more than one: its norm is over them."""
    if size % DIVISOR or size < 2 * DIVISOR:
        raise RequestError(
            f"method.{option}={size}: {LEVELS} levels need a multiple of {DIVISOR}, "
            f"{2 * DIVISOR} or more"
        )


def zscored(images: Tensor) -> Tensor:
    """Each slice with mean 0 and deviation 1; an empty one stays empty."""
    centred = images - images.mean((1, 2, 3), keepdim=True)
    return centred / centred.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-5)
