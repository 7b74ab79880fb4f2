"""How a scanner shows a scene: intensities, textures, bias field, blur and noise."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from bench.models.nano.drawing.fields import blurred, chance, grown, normal, uniform
from bench.models.nano.drawing.scene import SLOTS, Scene

BANDS = 3  # coarse, middle and fine texture


@dataclass(frozen=True)
class Look:
    """N scanners. Index 0 of the second axis is the background, s + 1 is slot s."""

    mean: Tensor  # (N, S + 1) intensity
    texture: Tensor  # (N, S + 1, BANDS) height of each texture band
    bias: Tensor  # (N, 1, 4, 4) control values of the logarithm of the bias field
    blur: Tensor  # (N,) sigma in pixels of a 128-pixel image
    noise: Tensor  # (N,) sigma of the noise
    speckle: Tensor  # (N,) bool: noise grows with the signal, as in ultrasound
    gamma: Tensor  # (N,) exponent of the display

    def __len__(self) -> int:
        return int(self.mean.shape[0])

    def take(self, index: Tensor) -> Look:
        """Looks by number, repeats allowed."""
        return Look(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


def random_looks(scene: Scene, generator: torch.Generator) -> Look:
    """A new look for each scene: contrasts unlike one another, bright on dark or dark on bright."""
    g, n, s = generator, len(scene), SLOTS
    mean = uniform(0.05, 1.0, n, s + 1, generator=g)
    # Half the scenes with a body stand before black air; the others before anything.
    dark = chance(0.7, n, generator=g) & scene.alive[:, 0]
    mean[:, 0] = torch.where(dark, uniform(0.0, 0.05, n, generator=g), mean[:, 0])
    # Neighbours in a real image are often close in intensity: pull shapes to their parent.
    rows = torch.arange(n)
    for slot in range(s):
        host = mean[rows, scene.parent[:, slot] + 1]
        step = uniform(0.08, 0.5, n, generator=g) * (chance(0.5, n, generator=g) * 2.0 - 1.0)
        near = (host + step).clamp(0, 1.1)
        pull = chance(0.6, n, generator=g) & (scene.parent[:, slot] >= 0)
        mean[:, slot + 1] = torch.where(pull, near, mean[:, slot + 1])
    # Paired organs are the same tissue.
    same = scene.paired
    mean[:, 4] = torch.where(same, mean[:, 3], mean[:, 4])
    strength = torch.exp(uniform(-4.5, -1.9, n, s + 1, BANDS, generator=g))
    strength[:, 0] = torch.where(dark[:, None], strength[:, 0] * 0.1, strength[:, 0])
    strength[:, 4] = torch.where(same[:, None], strength[:, 3], strength[:, 4])
    return Look(
        mean=mean,
        texture=strength,
        bias=normal(1.0, n, 1, 4, 4, generator=g) * uniform(0.0, 0.3, n, 1, 1, 1, generator=g),
        blur=uniform(0.3, 1.4, n, generator=g),
        noise=torch.exp(uniform(-4.5, -2.3, n, generator=g)),
        speckle=chance(0.2, n, generator=g),
        gamma=torch.exp(normal(0.25, n, generator=g)),
    )


def another_scan(look: Look, amount: float, generator: torch.Generator) -> Look:
    """The same kind of scan of another patient: contrast alike, bias and noise new."""
    g, n = generator, len(look)
    return replace(
        look,
        mean=look.mean + normal(0.05 * amount, *look.mean.shape, generator=g),
        bias=normal(1.0, n, 1, 4, 4, generator=g) * uniform(0.0, 0.3, n, 1, 1, 1, generator=g),
        noise=look.noise * torch.exp(normal(0.3 * amount, n, generator=g)),
        gamma=look.gamma * torch.exp(normal(0.15 * amount, n, generator=g)),
    )


def shown(label: Tensor, look: Look, generator: torch.Generator) -> Tensor:
    """Label maps (N, H, H) as images (N, 1, H, H) in [0, 1], stretched from 0.5 % to 99.5 %."""
    g, (n, size, _) = generator, label.shape
    flat = label.flatten(1).long()
    image = look.mean.gather(1, flat)
    for band, nodes in enumerate((8, 24, size // 2)):
        field = grown(torch.randn(n, 1, nodes, nodes, generator=g), size).flatten(1)
        image = image + field * look.texture[..., band].gather(1, flat)
    image = image.view(n, size, size)
    image = blurred(image, look.blur * (size / 128))
    image = image.clamp(min=0) * torch.exp(grown(look.bias, size)[:, 0])
    noise = torch.randn(n, size, size, generator=g) * look.noise[:, None, None]
    image = image + torch.where(look.speckle[:, None, None], 1.5 * image * noise, noise)
    return _stretched(image, look.gamma)[:, None]


def _stretched(image: Tensor, gamma: Tensor) -> Tensor:
    """Window each image to its own 0.5 % and 99.5 % grey values, then apply the display curve."""
    sample = image[:, ::3, ::3].flatten(1)
    ends = torch.tensor([0.005, 0.995])
    low, high = torch.quantile(sample, ends, dim=1)[..., None, None]
    unit = ((image - low) / (high - low).clamp(min=1e-3)).clamp(0, 1)
    return unit ** gamma[:, None, None]
