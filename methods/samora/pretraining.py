"""Stage 1: each expert is trained alone on unlabelled slices, after the teacher that it needs.

With `teacher="continued"` the trainings are: image teacher, image expert, patch teacher, patch
expert, pixel expert. Under a budget each has the same share of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.contract import Clock, Progress
from bench.data.slicepool import SlicePool
from bench.train.ahead import Source
from bench.train.convolutions import convolutional
from bench.train.fit import FitPlan, fit
from bench.train.fitted import FittedSchedule
from bench.train.optimisers import adamw
from bench.train.precision import Precision
from bench.train.schedule import poly_decay_to_zero
from bench.train.share import Share, parts, until_spent
from methods.samora import image_level, patch_level
from methods.samora.image_level import ImageLevel
from methods.samora.patch_level import PatchLevel
from methods.samora.pixel_level import PixelLevel
from methods.samora.student import Student


@dataclass(frozen=True)
class Level:
    """teacher  makes one that knows nothing yet; None where the level needs none
    expert   what trains the expert, given the student and, where there is one, the teacher
    """

    teacher: Callable[[Student], nn.Module] | None
    expert: Callable[..., nn.Module]


LEVELS = {
    "image": Level(image_level.make_teacher, ImageLevel),
    "patch": Level(patch_level.make_teacher, PatchLevel),
    "pixel": Level(None, PixelLevel),
}
"""Highest level first: the order in which HL-Attn takes them."""


@dataclass(frozen=True)
class Stage1:
    """The released code's numbers; it has no teacher's training.

    teacher  "continued": trained on the pool first. "frozen_random": as it was drawn
    epochs   of each expert and of each teacher, where there is no budget
    """

    teacher: str = "continued"
    lr: float = 1e-3
    weight_decay: float = 0.1
    batch: int = 16
    epochs: int = 30
    warm_up: int = 25
    teacher_lr: float = 1e-3
    teacher_batch: int = 64
    precision: Precision = "auto"


def teach(
    student: Student,
    pool: SlicePool,
    clock: Clock,
    *,
    stage: Stage1,
    device: torch.device,
) -> Iterator[Progress]:
    """Train all of the student's experts, one after the other."""
    lessons = lessons_of(student.levels, stage.teacher)
    teachers: dict[str, nn.Module] = {}
    for (name, what), part in zip(lessons, parts([1.0] * len(lessons)), strict=True):
        share, level = Share(clock, part), LEVELS[name]
        if what == "teacher" or (level.teacher is not None and name not in teachers):
            assert level.teacher is not None
            teachers[name] = convolutional(level.teacher(student), device)
        if what == "teacher":
            network = teachers[name]
            learned = list(network.parameters())
        else:
            given = (teachers[name],) if name in teachers else ()
            network = convolutional(level.expert(student, *given), device)
            learned = [*student.learn(name), *network.parameters()]
        work = train(network, learned, pool, share, stage=stage, what=what, device=device)
        yield from until_spent(work, share)


def lessons_of(levels: Sequence[str], teacher: str) -> list[tuple[str, str]]:
    """(level, "teacher" or "expert") in the order of their training."""
    return [
        (name, what)
        for name in levels
        for what in ("teacher", "expert")
        if what == "expert" or (teacher == "continued" and LEVELS[name].teacher is not None)
    ]


def train(
    network: nn.Module,
    learned: list[nn.Parameter],
    pool: SlicePool,
    clock: Share,
    *,
    stage: Stage1,
    what: str,
    device: torch.device,
) -> Iterator[Progress]:
    """One of these trainings; `network.loss` takes what `network.prepare` makes of slices, in full
    precision and once a step."""
    own = what == "teacher"
    plan = FitPlan(
        batch=stage.teacher_batch if own else stage.batch,
        epochs=stage.epochs,
        clip=None,
        precision=stage.precision,
    )
    rate = FittedSchedule(
        clock,
        recipe_steps=plan.recipe_steps(len(pool)),
        warm_up=stage.warm_up,
        decay=poly_decay_to_zero,
    )

    def gather(chosen: Tensor) -> tuple[Tensor]:
        return (pool.gather(chosen),)

    def finish(slices: Tensor) -> tuple[Tensor, ...]:
        return network.prepare(slices.float())

    yield from fit(
        network,
        adamw(learned, lr=stage.teacher_lr if own else stage.lr, weight_decay=stage.weight_decay),
        clock=clock,
        plan=plan,
        count=len(pool),
        sample=Source(gather=gather, finish=finish),
        loss=network.loss,
        rate=rate,
        device=device,
    )
