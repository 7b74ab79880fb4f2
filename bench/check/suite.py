"""The checks, in the order in which a contributor wants to hear of them.

Each returns nothing when the method passes, a reason when the check does not apply, and raises
CheckError with what went wrong otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from bench.check.lab import STEPS, Lab, Result, relabelled, seconds_budget, steps_budget
from bench.check.tolerance import too_many
from bench.contract import Volume
from bench.errors import reason_of
from bench.unit.spec import Unit

SECONDS = 4.0
TOLERANCE = 1.5
"""Seconds that a method may run over between two yields."""
STOPS = (3, 4)
"""The unit is asked to stop at these looks of its first two starts, or later, where it has nothing
to save yet."""
ATTEMPTS = 3
"""A busy machine may hold up one step of an innocent method, but not one in each of three runs."""


class CheckError(Exception):
    """What the method did wrong, in one line."""


@dataclass(frozen=True)
class Verdict:
    name: str
    outcome: Literal["pass", "fail", "not asked"]
    reason: str = ""


class Suite:
    """The base unit is run once and shared: two supports, two test volumes, a budget of steps."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.card = lab.registry.method(lab.method)[1]
        self.cases = [volume.case for volume in lab.volumes]
        self.left: list[str] = []

    @cached_property
    def _base(self) -> Result | BaseException:
        try:
            unit = self._unit("base")
            before = self.lab.global_state(unit)  # what an import sets is not the method's doing
            result = self.lab.run(unit)
        except (Exception, SystemExit) as error:
            return error
        after = self.lab.global_state(unit)
        self.left = [name for name, value in after.items() if value != before[name]]
        return result

    @property
    def base(self) -> Result:
        """Run once; if the method fails in it, every check that needs it says so."""
        if isinstance(self._base, BaseException):
            raise self._base
        return self._base

    def _run(self, run: str, *, probes: int = 0, volumes: list[Volume] | None = None) -> Result:
        return self.lab.run(self._unit(run, probes=probes, volumes=volumes))

    def _unit(self, run: str, *, probes: int = 0, volumes: list[Volume] | None = None) -> Unit:
        store = self.lab.store("base" if volumes is None else run, volumes or [*self.lab.volumes])
        return self.lab.unit(
            store,
            support=self.cases[:2],
            probe=self.cases[2:3] if probes else (),
            test=self.cases[-2:],
            budget=steps_budget(probes=probes),
            run=run,
        )

    def _same(self, other: Result, reason: str) -> None:
        for case, label in self.base.predictions.items():
            if wrong := self._differing(other.predictions[case], label):
                raise CheckError(f"{reason}: {wrong} of {case} differ")

    def _differing(self, found: np.ndarray, expected: np.ndarray) -> str:
        device = self.lab.device
        return too_many(found, expected, device=device, repeats=self.card.repeatable_on_cuda)

    def runs(self) -> str | None:
        """runs, and predicts uint8 labels on the volume's own grid"""
        if not self.base.record.cases:
            raise CheckError("no case was scored")
        return None

    def steps(self) -> str | None:
        """obeys a budget of steps"""
        phase = self.base.record.adaptation
        if phase.overshoot_steps:
            raise CheckError(
                f"{phase.steps} steps under a budget of {STEPS}: yield after every step"
            )
        return None

    def seconds(self) -> str | None:
        """obeys a budget of seconds"""
        overs = []
        for attempt in range(ATTEMPTS):
            unit = self.lab.unit(
                self.lab.store("base", self.lab.volumes),
                support=self.cases[:2],
                test=self.cases[-1:],
                budget=seconds_budget(SECONDS),
                run=f"seconds {attempt}",
            )
            overs.append(self.lab.run(unit).record.adaptation.overshoot_seconds)
            if overs[-1] <= TOLERANCE:
                return None
        raise CheckError(f"{min(overs):.1f} s over a budget of {SECONDS:g} s: yield more often")

    def repeatable(self) -> str | None:
        """is repeatable under a seed"""
        if not self.card.repeatable:
            return "its card does not claim it"
        self._same(self._run("again"), "a second run predicts otherwise")
        return None

    def probe(self) -> str | None:
        """is not changed by being probed"""
        if not self.card.repeatable:
            return "only asked of repeatable methods"
        self._same(self._run("probed", probes=3), "predicting between its steps changes its result")
        return None

    def goes_on(self) -> str | None:
        """goes on where it was stopped, twice"""
        if not self.card.repeatable:
            return "only asked of repeatable methods"
        unit = self._unit("stopped")
        for look in STOPS:
            if reason := self.lab.stop(unit, look=look):
                return reason
        self._same(self.lab.run(unit), "stopped and started again, it predicts otherwise")
        return None

    def labels(self) -> str | None:
        """does not change its answer when test labels change"""
        if self.card.needs_test_label:
            return "its card says that it needs the test label"
        if not self.card.repeatable:
            return "only asked of repeatable methods"
        test = set(self.cases[-2:])
        count = len(self.lab.classes)
        volumes = [
            relabelled(v, lambda y: np.where(y == 0, count, y - 1)) if v.case in test else v
            for v in self.lab.volumes
        ]
        self._same(self._run("relabelled", volumes=volumes), "it depends on labels of the test set")
        return None

    def one_shot(self) -> str | None:
        """survives one shot"""
        self._small("one", self.lab.volumes, support=self.cases[:1])
        return None

    def absent(self) -> str | None:
        """survives a class that the support never shows"""
        last = len(self.lab.classes)
        support = {*self.cases[:2]}
        volumes = [
            relabelled(v, lambda y: np.where(y == last, 0, y)) if v.case in support else v
            for v in self.lab.volumes
        ]
        self._small("absent", volumes, support=self.cases[:2])
        return None

    def partial(self) -> str | None:
        """learns from volumes of which only some slices are labelled"""
        volume = self.lab.volumes[0]
        assert volume.label is not None
        shown = np.flatnonzero(volume.label.any(axis=(1, 2)))[::3]
        slices = {volume.case: [int(index) for index in shown]}
        self._small("partial", self.lab.volumes, support=[volume.case], slices=slices)
        return None

    def _small(
        self,
        name: str,
        volumes: tuple[Volume, ...] | list[Volume],
        *,
        support: list[str],
        slices: dict[str, list[int]] | None = None,
    ) -> None:
        unit = self.lab.unit(
            self.lab.store("base" if volumes is self.lab.volumes else name, volumes),
            support=support,
            slices=slices,
            test=self.cases[-1:],
            budget=steps_budget(),
            run=name,
        )
        self.lab.run(unit)

    def _predicts(self, volume: Volume) -> None:
        if not self.card.needs_test_label:
            volume = replace(volume, label=None, labelled_slices=())
        with self.lab.revived(self.base) as predict:
            predict(volume)

    def anisotropic(self) -> str | None:
        """predicts an anisotropic volume"""
        volume = self.lab.volumes[-1]
        thin = _cut(volume, (slice(None, None, 4), slice(None), slice(None, None, 2)))
        z, y, x = volume.spacing
        self._predicts(replace(thin, spacing=(z * 4, y, x * 2)))
        return None

    def single(self) -> str | None:
        """predicts a volume of a single slice"""
        middle = self.lab.volumes[-1].image.shape[0] // 2
        self._predicts(_cut(self.lab.volumes[-1], (slice(middle, middle + 1),)))
        return None

    def large(self) -> str | None:
        """predicts a volume larger than it trained on"""
        volume = self.lab.volumes[-1]
        pad = [(0, size // 2) for size in volume.image.shape]
        label = None if volume.label is None else np.pad(volume.label, pad)
        self._predicts(replace(volume, image=np.pad(volume.image, pad, mode="edge"), label=label))
        return None

    def reload(self) -> str | None:
        """saves and loads to identical predictions"""
        store = self.lab.store("base", self.lab.volumes)
        with self.lab.revived(self.base) as predict:
            for case, label in self.base.predictions.items():
                volume = store.volume(case, with_label=self.card.needs_test_label)
                if wrong := self._differing(predict(volume), label):
                    raise CheckError(f"{wrong} of {case} differ after a reload")
        return None

    def traces(self) -> str | None:
        """leaves no global state behind"""
        if self.base.record.cases and self.left:
            raise CheckError(f"{', '.join(self.left)}: not as before")
        return None


def _cut(volume: Volume, index: tuple[slice, ...]) -> Volume:
    label = None if volume.label is None else np.ascontiguousarray(volume.label[index])
    image = np.ascontiguousarray(volume.image[index])
    shown = () if label is None else tuple(range(len(image)))
    return replace(volume, image=image, label=label, labelled_slices=shown)


CHECKS: tuple[Callable[[Suite], str | None], ...] = (
    Suite.runs,
    Suite.steps,
    Suite.seconds,
    Suite.repeatable,
    Suite.probe,
    Suite.goes_on,
    Suite.labels,
    Suite.one_shot,
    Suite.absent,
    Suite.partial,
    Suite.anisotropic,
    Suite.single,
    Suite.large,
    Suite.reload,
    Suite.traces,
)


def verdicts(suite: Suite) -> Iterator[Verdict]:
    """One after the other; what a method raises is that check's reason."""
    for check in CHECKS:
        name = " ".join(str(check.__doc__).split())
        try:
            not_asked = check(suite)
        except CheckError as failure:
            yield Verdict(name, "fail", str(failure))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a method may raise anything
            yield Verdict(name, "fail", reason_of(error))
        else:
            yield Verdict(name, "not asked" if not_asked else "pass", not_asked or "")
