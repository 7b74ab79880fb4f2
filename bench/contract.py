"""The nouns a contributor meets. Read this file first; a new method or dataset needs nothing else.

A method is a class in `methods/<name>/method.py`, named by `entry:` in its `card.yaml`:

    class MyMethod:
        def __init__(self, options, setting): ...  # the card's options with the user's overrides
        def pretrain(self, task, clock): ...       # optional; yields Progress; unlabelled images
        def adapt(self, task, clock): ...          # optional; yields Progress
        def predict(self, volume): ...             # -> uint8 labels on the volume's own grid
        def state_dict(self): ...                  # tensors that, loaded, predict the same
        def load_state_dict(self, state): ...
        def parameters(self): ...                  # optional; torch parameters, for the counts

The harness pulls the generators. It owns the clock, the probe and the stop: after each `yield` it
may call `predict` or never come back, so a method yields at least once an epoch, better once a
step. `predict` leaves the method as it is. The global random state of torch, numpy and Python is
the method's own, seeded by the harness.

All of it runs in a process that can open no data: volumes come as arrays, and `task.scratch` is the
folder to write into.

A method that can go on where it was stopped says so before its first yield: see ResumableClock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol, runtime_checkable

import numpy as np

Spacing = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Volume:
    """One image of one patient, slices first. Arrays are read-only views into the volume store.

    image            (D, H, W) float16 or float32, intensities as in the source
    spacing          (mm between slices, mm between rows, mm between columns)
    label            (D, H, W) uint8, 0 background, i + 1 = classes[i], 255 not labelled;
                     None where the method has no right to it
    labelled_slices  indices along D that carry a label; empty where `label` is None
    dataset          in a task: the dataset that it comes from. Ids of another dataset than the
                     task's own begin with its name. Empty for an image to predict
    """

    case: str
    patient: str
    image: np.ndarray
    spacing: Spacing
    label: np.ndarray | None = None
    labelled_slices: tuple[int, ...] = ()
    dataset: str = ""


@dataclass(frozen=True)
class Setting:
    """What stays true of an adapted method for good: enough to rebuild it for new images.

    backbone  family ("sam", "sam2", "dino") -> checkpoint name, as the request resolved it
    cache     where checkpoints and embeddings lie; None: the user's own cache folder
    """

    classes: tuple[str, ...]
    modality: str
    device: str
    seed: int
    backbone: Mapping[str, str] = field(default_factory=dict)
    cache: Path | None = None


@dataclass(frozen=True, eq=False)
class Task:
    """What a method may learn from. Nothing of the test set is in here.

    support     labelled volumes of the shot's patients (or volumes with some labelled slices)
    unlabelled  images of all training patients, the support's included, without labels; with
                `pool=NAMES` those of other datasets, which each volume's `dataset` tells apart
    pretrained  what this method's own `pretrain` returned by `state_dict`, or None
    scratch     an empty folder that is deleted with the unit
    """

    setting: Setting
    support: Sequence[Volume]
    unlabelled: Sequence[Volume]
    scratch: Path
    pretrained: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Progress:
    """What a generator reports: the work since its last yield.

    steps    optimiser steps        samples  training samples seen (slices, patches or volumes)
    loss     mean training loss of these steps, if there is one
    epoch    True where an epoch ends here: one pass over what the method calls its data
    """

    steps: int = 1
    samples: int = 0
    loss: float | None = None
    epoch: bool = False


class Clock(Protocol):
    """The budget as a method sees it: enough to fit a schedule, not enough to stop by itself."""

    @property
    def limited(self) -> bool:
        """False under `budget=paper`: the method runs its own recipe to its end."""

    @property
    def fraction(self) -> float:
        """Share of the budget that is spent, 0 to 1; 0 when not limited."""

    @property
    def steps(self) -> int:
        """Optimiser steps that were reported so far in this phase."""

    @property
    def step_limit(self) -> int | None:
        """The budget's steps, where it counts steps."""


class Stateful(Protocol):
    """A network, an optimiser, a schedule, a counter of one's own."""

    def state_dict(self) -> Mapping[str, Any]: ...

    def load_state_dict(self, state: Any, /) -> Any: ...


class ResumableClock(Clock, Protocol):
    """The clock that `pretrain` and `adapt` are given. `resume` is for methods that can go on."""

    def resume(self, **parts: Stateful) -> bool:
        """Call it once a phase, before the first step and when everything is set up. `parts` are
        all that the rest of the phase depends on; the global random state is kept without being
        named. States hold numbers, texts, tensors and arrays, nested as you like. What the method
        does before, yields included, is done again by each start, and charged once.

        A unit that is asked to stop after a yield saves these states. When it is started again,
        this call loads them, the clock goes on from what was spent, and True comes back. A method
        that never calls it begins anew, under a new clock, and its record says so."""


@runtime_checkable
class Method(Protocol):
    """`pretrain` and `adapt` are optional: a method without them learns nothing."""

    def __init__(self, options: SimpleNamespace, setting: Setting) -> None: ...

    def predict(self, volume: Volume) -> np.ndarray:
        """(D, H, W) uint8 with values 0 .. len(classes), on the volume's own grid."""

    def state_dict(self) -> Mapping[str, Any]:
        """Tensors and arrays by name; `load_state_dict` of them predicts identically."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


class Adapts(Protocol):
    def adapt(self, task: Task, clock: Clock) -> Iterator[Progress]: ...


class Pretrains(Protocol):
    def pretrain(self, task: Task, clock: Clock) -> Iterator[Progress]: ...


@dataclass(frozen=True)
class Source:
    """One case as it lies on the disk, before it is read.

    patient  the unit of every split; several cases may share one (end-diastole, end-systole)
    files    what the case is made of, hashed into the manifest; empty for a generated case
    """

    case: str
    patient: str
    files: tuple[Path, ...] = ()
    site: str | None = None


@dataclass(frozen=True)
class Copy:
    """A copy of a dataset that was found on the disk.

    layout  how it lies there; a card lists the known ones and which is the official one
    """

    layout: str
    root: Path | None
    sources: tuple[Source, ...]


@dataclass(frozen=True, eq=False)
class RawCase:
    """A case as read from its files: (D, H, W), slices first.

    spacing  None where the files do not say
    affine   voxel (z, y, x) index -> world mm, 4x4, or None
    """

    image: np.ndarray
    label: np.ndarray
    spacing: Spacing | None
    affine: np.ndarray | None = None


@runtime_checkable
class Dataset(Protocol):
    """A dataset is a class in `datasets/<name>/dataset.py`, named by `entry:` in its card."""

    def __init__(self, options: SimpleNamespace, root: Path | None) -> None:
        """`root`: where the user's files are, None to use the suite's own download folder."""

    def find(self) -> Copy | None:
        """The copy under `root`, or None where there is none. Reads names, never voxels."""

    def read(self, source: Source) -> RawCase:
        """One case. Raises DataError with the case's name where a file is broken."""


class Describes(Protocol):
    """Optional: a dataset whose card leaves `classes` to the copy that the user has."""

    def facts(self) -> Mapping[str, Any]:
        """`name` (what the board calls it), `classes` (names in the order of their label values)
        and `modality`; the card's where one is left out."""
