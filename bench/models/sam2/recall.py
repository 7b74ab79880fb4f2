"""Slices segmented with the memories of labelled ones: each by itself, or a volume from its middle.

`chosen[z][c]` are the numbers of the labelled slices that slice z is shown for class c, the most
similar last. None at all: the class is not looked for there, and not found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.data.transfer import free_bytes
from bench.models.logits import ABSENT
from bench.models.sam2.encode import Features
from bench.models.sam2.memory import Answer, Memory, ask, remember_answer, rows_of
from bench.models.sam2.pool import Pool
from bench.train.halving import Halving

if TYPE_CHECKING:
    from sam2.modeling.sam2_base import SAM2Base

Chosen = Sequence[Sequence[Sequence[int]]]

CPU_ROOM, GPU_ROOM = 1 << 28, 1 << 33
"""Bytes that the keys and values of all rows of a pass may take, about. On a GPU at most half of
what is free below the budget's cap, too."""


@dataclass(frozen=True, eq=False)
class Found:
    """What SAM 2 says of n slices and K classes: logits (n, K, h, w), gated by the object score;
    tokens (n, K, C); present (n, K, 1)."""

    logits: Tensor
    tokens: Tensor
    present: Tensor


def recall(
    sam2: SAM2Base,
    features: Features,
    chosen: Chosen,
    pool: Pool,
    found: Sequence[Memory] = (),
    *,
    gap: int = 0,
    frames: int | None = None,
) -> Found:
    """n slices at once; classes are rows of the batch and do not see each other.

    found        memories of n * K rows each, of SAM 2's own answers in neighbouring slices
    gap, frames  as `ask` takes them
    """
    count, classes = len(chosen), len(chosen[0])
    device, side = features.s16.device, features.s4.shape[-1]
    logits = torch.full((count * classes, side, side), ABSENT, device=device)
    tokens = torch.zeros(count * classes, sam2.hidden_dim, device=device)
    present = torch.full((count * classes, 1), ABSENT, device=device)
    shown = [tuple(numbers) for row in chosen for numbers in row]
    for length in sorted({len(numbers) for numbers in shown} - {0}):
        alike = [row for row, numbers in enumerate(shown) if len(numbers) == length]
        rows = Halving(_rows(features, length + len(found)), device)

        def answer_of(part: slice, alike: Sequence[int] = alike) -> tuple[Tensor, Answer]:
            some = torch.tensor(alike[part], device=device)
            numbers = torch.tensor([shown[row] for row in alike[part]], device=device)
            given = [pool.take(column, some % classes) for column in numbers.unbind(1)]
            before = [memory.take(some) for memory in found]
            image = rows_of(features, some // classes)
            return some, ask(sam2, image, given, before, gap=gap, frames=frames)

        for some, answer in rows.parts(answer_of, len(alike)):
            logits[some], tokens[some] = answer.best(), answer.token()
            present[some] = answer.present
    each = (count, classes)
    return Found(*(value.unflatten(0, each) for value in (logits, tokens, present)))


def recall_volume(
    sam2: SAM2Base,
    encode: Callable[[Sequence[int]], Features],
    chosen: Chosen,
    pool: Pool,
    *,
    memory: int,
    start: int | None = None,
    known: bool = False,
) -> Iterator[tuple[int, Tensor]]:
    """(slice, logits (K, h, w)) from the middle slice both ways, two slices at a time.

    memory  each slice also sees the answers of so many neighbours, 1 to 15, of those that lie
            between it and the first one; of more than six the pointers alone
    start   the first slice, None: the middle of the volume
    known   the first slice is what the pool remembers, and is not asked: the volume is then a
            video of which one frame is given, and distances are those in it
    """
    depth, classes = len(chosen), len(chosen[0])
    middle = depth // 2 if start is None else start
    tracks: dict[int, list[Memory]] = {-1: [], 1: []}
    for step in range(1 if known else 0, depth):
        ways = (1,) if step == 0 else tuple(w for w in tracks if 0 <= middle + w * step < depth)
        if not ways:
            return
        at = [middle + way * step for way in ways]
        features = encode(at)
        before = [_joined(each) for each in zip(*(tracks[way] for way in ways), strict=True)]
        answer = recall(
            sam2,
            features,
            [chosen[z] for z in at],
            pool,
            before,
            gap=step - 1 - len(before) if known else 0,
            frames=depth if known else None,
        )
        yield from zip(at, answer.logits, strict=True)
        kept = _remembered(sam2, features, answer)
        for number, way in enumerate(ways):
            rows = torch.arange(classes, device=kept.pointer.device) + number * classes
            for track in tracks.values() if step == 0 else (tracks[way],):
                track.append(kept.take(rows))
                del track[:-memory]


def _remembered(sam2: SAM2Base, features: Features, answer: Found) -> Memory:
    count, classes = answer.logits.shape[:2]
    owner = torch.arange(count, device=features.s16.device).repeat_interleave(classes)
    memory = remember_answer(
        sam2,
        rows_of(features, owner),
        *(value.flatten(0, 1) for value in (answer.logits, answer.tokens, answer.present)),
    )
    # Rounded as those of the pool are.
    return Memory(memory.spatial.to(torch.bfloat16).float(), memory.pointer)


def _joined(memories: Sequence[Memory]) -> Memory:
    return Memory(
        torch.cat([each.spatial for each in memories]),
        torch.cat([each.pointer for each in memories]),
    )


def _rows(features: Features, memories: int) -> int:
    """Rows of a pass: six copies of the keys, about, are alive in the package's attention."""
    device = features.s16.device
    room = CPU_ROOM if device.type == "cpu" else min(GPU_ROOM, free_bytes(device) // 2)
    return max(1, room // (memories * features.s16[0].numel() * 4 * 6))
