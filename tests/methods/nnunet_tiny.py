"""nnU-Net on volumes of a few voxels: drawn, planned and trained within a test's time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.contract import Progress, Spacing, Task, Volume
from bench.worker.clock import MethodClock
from methods.nnunet.method import NnUNet
from tests.methods.tiny import blind, options, setting


def boxes(
    case: str = "c",
    *,
    seed: int = 0,
    shape: tuple[int, int, int] = (6, 32, 40),
    spacing: Spacing = (3.0, 1.0, 1.0),
) -> Volume:
    """A bright and a dark box, somewhere else in each volume, on a noisy grey."""
    random = np.random.default_rng(seed)
    label = np.zeros(shape, np.uint8)
    rows, columns = shape[1] // 3, shape[2] // 3
    row = int(random.integers(2, shape[1] - rows - 1))
    label[:, row : row + rows, 2 : 2 + columns] = 1
    label[:, row : row + rows, shape[2] - columns - 2 : shape[2] - 2] = 2
    image = np.choose(label, [0.4, 0.9, 0.05]) + random.normal(0, 0.03, shape)
    return Volume(
        case=case,
        patient=case,
        image=image.astype(np.float32),
        spacing=spacing,
        label=label,
        labelled_slices=tuple(range(shape[0])),
    )


def support(count: int = 2, **given: Any) -> list[Volume]:
    return [boxes(f"c{number}", seed=number, **given) for number in range(count)]


def nnunet(**changes: Any) -> NnUNet:
    return NnUNet(options("nnunet", **changes), setting(2))


def task(given: Sequence[Volume], scratch: Path) -> Task:
    return Task(
        setting=setting(2),
        support=tuple(given),
        unlabelled=tuple(blind(volume) for volume in given),
        scratch=scratch,
    )


def pulled(
    method: NnUNet, given: Sequence[Volume], scratch: Path, *, steps: int | None
) -> Iterator[Progress]:
    """`adapt`, until it or its budget of steps ends."""
    clock = MethodClock(seconds_limit=None, steps_limit=steps)
    work = method.adapt(task(given, scratch), clock)
    try:
        for progress in work:
            clock.count(progress)
            yield progress
            if clock.spent:
                return
    finally:
        work.close()  # type: ignore[attr-defined]


def adapted(
    given: Sequence[Volume], scratch: Path, *, steps: int | None = 2, **changes: Any
) -> NnUNet:
    method = nnunet(**changes)
    for _ in pulled(method, given, scratch, steps=steps):
        pass
    return method
