"""Volumes of a few voxels, and a method pulled by hand: no harness, no store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np

from bench.contract import Progress, Setting, Task, Volume
from bench.registry import discover, make_options
from bench.worker.clock import MethodClock

NANO = {"sam": "nano", "sam2": "nano", "dino": "nano"}


def volume(
    label: np.ndarray,
    *,
    image: np.ndarray | None = None,
    slices: Sequence[int] | None = None,
    case: str = "c",
) -> Volume:
    """(D, H, W) labels; the image is bright where they are, unless one is given."""
    label = np.asarray(label, np.uint8)
    return Volume(
        case=case,
        patient=case,
        image=(label > 0).astype(np.float32) if image is None else image,
        spacing=(1.0, 1.0, 1.0),
        label=label,
        labelled_slices=tuple(range(len(label)) if slices is None else slices),
    )


def blind(given: Volume) -> Volume:
    """The volume as `predict` gets it."""
    return Volume(given.case, given.patient, given.image, given.spacing, dataset=given.dataset)


def setting(classes: int = 1, seed: int = 0) -> Setting:
    names = tuple(f"class {number}" for number in range(1, classes + 1))
    return Setting(classes=names, modality="MR", device="cpu", seed=seed)


def options(method: str, **changes: Any) -> SimpleNamespace:
    """The card's defaults with these changes, each held against the card."""
    return make_options(discover().method(method)[0], changes)


def backbone(method: str, chosen: SimpleNamespace) -> dict[str, str]:
    """Checkpoints as a unit gets them: of the families that the card names for these options."""
    families = discover().method(method)[1].families(vars(chosen))
    return {family: NANO[family] for family in families}


def pulled(
    method: Any,
    support: Sequence[Volume],
    *,
    steps: int | None = None,
    classes: int = 1,
    seed: int = 0,
) -> Iterator[Progress]:
    """`adapt`, until it or its budget of steps ends; the method can be looked at in between."""
    task = Task(
        setting=setting(classes, seed),
        support=tuple(support),
        unlabelled=tuple(blind(given) for given in support),
        scratch=Path("nothing is written"),
    )
    clock = MethodClock(seconds_limit=None, steps_limit=steps)
    for progress in method.adapt(task, clock):
        clock.count(progress)
        yield progress
        if clock.spent:
            return


def phase(
    verb: Literal["pretrain", "adapt"],
    method: Any,
    volumes: Sequence[Volume],
    *,
    steps: int | None,
    classes: int,
    pretrained: Mapping[str, Any] | None = None,
) -> Iterator[Progress]:
    """Pre-training or adaptation of a method with both, until it or its budget of steps ends."""
    task = Task(
        setting=setting(classes),
        support=() if verb == "pretrain" else tuple(volumes),
        unlabelled=tuple(blind(given) for given in volumes),
        scratch=Path("nothing is written"),
        pretrained=pretrained,
    )
    clock = MethodClock(seconds_limit=None, steps_limit=steps)
    for progress in getattr(method, verb)(task, clock):
        clock.count(progress)
        yield progress
        if clock.spent:
            return


def adapt(method: Any, support: Sequence[Volume], **given: Any) -> list[Progress]:
    """All that `pulled` reports."""
    return list(pulled(method, support, **given))


def dice(prediction: np.ndarray, reference: np.ndarray, value: int = 1) -> float:
    a, b = prediction == value, reference == value
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))
