"""What a nano network can do on drawn images that it has not been trained on.

`python -m bench.models.nano.evaluate which=sam` prints the shipped weights' figures beside those of
the same network untrained.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.errors import RequestError
from bench.models.nano.dino_task import draw_views
from bench.models.nano.drawing.episodes import draw_episodes
from bench.models.nano.export import load
from bench.models.nano.memory_route import answered, encoded
from bench.models.nano.networks import BUILDERS, nano_card, normalised
from bench.models.nano.overlap import iou
from bench.models.nano.plan import WHICH
from bench.models.nano.prompts import box_around, point_in
from bench.models.nano.sam_task import draw_objects
from bench.models.sam.rows import best_of_three, decode_rows

HELD_OUT = 2**48  # first seed of the held-out drawings; training seeds stay far below


def held_out(batch: int) -> torch.Generator:
    """The generator of one held-out batch."""
    return torch.Generator().manual_seed(HELD_OUT + batch)


@torch.inference_mode()
def sam_figures(network: Any, batches: int = 16) -> dict[str, float]:
    """Mean IoU of one point and of one loose box an object; 16 images of 4 objects a batch.

    `point` takes the mask that the network itself rates best, `point_oracle` the best of its three.
    """
    found: dict[str, list[Tensor]] = {"point": [], "point_oracle": [], "box": []}
    for batch in range(batches):
        generator = held_out(batch)
        drawn = draw_objects(16, 4, generator)
        point = point_in(drawn.masks, generator)[:, None]
        box = box_around(drawn.masks, generator)
        features = network.image_encoder(normalised(drawn.images, "sam"))[drawn.number]
        label = torch.ones(len(point), 1)
        for kind, asked in (("point", {"points": (point, label)}), ("box", {"boxes": box})):
            given = {"points": None, "boxes": None, "masks": None} | asked
            masks, quality = decode_rows(network, features, *network.prompt_encoder(**given))
            full = [_grown(best_of_three(masks, quality), drawn.masks)]
            found[kind].append(iou(full[0], drawn.masks.float()))
            if kind == "point":
                three = [iou(_grown(m, drawn.masks), drawn.masks.float()) for m in masks.unbind(1)]
                found["point_oracle"].append(torch.stack(three[1:]).max(dim=0).values)
    return {name: float(torch.cat(values).mean()) for name, values in found.items()}


@torch.inference_mode()
def sam2_figures(network: Any, batches: int = 16) -> dict[str, float]:
    """Memory-conditioned IoU with 1 and 4 supports; 6 episodes of 3 objects a batch.

    `k1`, `k4`: mean IoU over objects that the query shows, a wrong "absent" counting 0.
    `copy_k1`: the support's mask taken as the answer. `absent_k4`: share of absent objects that get
    no pixel.
    """
    size = nano_card("sam2").input_size
    figures: dict[str, float] = {}
    for supports in (1, 4):
        found, copied, silent = [], [], []
        for batch in range(batches):
            drawn = draw_episodes(6, supports, 3, size, held_out(1000 * supports + batch))
            images = normalised(drawn.images.flatten(0, 1), "sam2")
            answer = answered(network, encoded(network, images), drawn.masks[:, :, :-1])
            truth = drawn.masks[:, :, -1].flatten(0, 1)
            there = truth.flatten(1).any(dim=1)
            guess = _grown(answer.best(), truth)
            found.append(iou(guess, truth.float())[there])
            silent.append(~(guess > 0).flatten(1).any(dim=1)[~there])
            first = drawn.masks[:, :, 0].flatten(0, 1).float() - 0.5
            copied.append(iou(first, truth.float())[there])
        figures[f"k{supports}"] = float(torch.cat(found).mean())
        figures[f"absent_k{supports}"] = float(torch.cat(silent).float().mean())
        if supports == 1:
            figures["copy_k1"] = float(torch.cat(copied).mean())
    return figures


@torch.inference_mode()
def dino_figures(network: Any, patients: int = 200) -> dict[str, float]:
    """Share of drawn slices whose nearest slice, of `patients`, shows the same anatomy.

    `network`: by the network's embedding; `pixels`: by the image itself at 32 x 32, as a control.
    `swapped`: with bright and dark exchanged in the queries.
    """
    images, _ = draw_views(patients, 2, nano_card("dino").input_size, held_out(0))
    query, pool = images

    def embed(images: Tensor) -> Tensor:
        return torch.cat([network(normalised(x, "dino")) for x in images.split(50)])

    def small(images: Tensor) -> Tensor:
        flat = F.interpolate(images, size=32, mode="area").flatten(1)
        return flat - flat.mean(dim=1, keepdim=True)

    known = embed(pool)
    return {
        "network": _nearest_right(embed(query), known),
        "swapped": _nearest_right(embed(1 - query), known),
        "pixels": _nearest_right(small(query), small(pool)),
    }


def _nearest_right(query: Tensor, pool: Tensor) -> float:
    """Share of rows of query (N, C) whose most similar row (cosine) of pool has its own number."""
    nearest = (F.normalize(query, dim=1) @ F.normalize(pool, dim=1).T).argmax(dim=1)
    return float((nearest == torch.arange(len(query))).float().mean())


def _grown(logits: Tensor, like: Tensor) -> Tensor:
    """Logits (B, h, w) at the resolution of masks (B, H, W)."""
    size = like.shape[-2:]
    return F.interpolate(logits[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]


FIGURES = {"sam": sam_figures, "sam2": sam2_figures, "dino": dino_figures}


def untrained(which: str) -> nn.Module:
    """The network as it stands before its first step."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return BUILDERS[which]().eval()


if __name__ == "__main__":
    word = sys.argv[1].removeprefix("which=") if len(sys.argv) == 2 else ""
    if word not in WHICH:
        sys.exit(str(RequestError(f"say which network to evaluate: which={'|'.join(WHICH)}")))
    pair = {"trained": load(word), "untrained": untrained(word)}
    print(json.dumps({name: FIGURES[word](network) for name, network in pair.items()}, indent=2))
