"""Whose clock the seconds are of, and what the method's process could reach."""

from __future__ import annotations

from collections.abc import Iterator

from bench.record.schema import Phase, Record
from bench.unit.account import SECONDS, SHARE
from bench.verify.finding import Finding, marked, not_checked, problems

BEFORE = "its record is of before this was kept"


def isolation(record: Record) -> Iterator[Finding]:
    found = None if record.harness is None else record.harness.isolation
    if found is None:
        yield not_checked("isolation", BEFORE)
    elif found == "none":
        yield marked("isolation", "made with isolation none: the method could open test labels")


def account(record: Record) -> Iterator[Finding]:
    """The worker's account and the tree's CPU time against what the harness measured."""
    harness = record.harness
    said = None if harness is None else harness.worker_seconds
    if harness is None or said is None:
        yield not_checked("account", BEFORE)
        return
    yield from problems("account", _account(record, said))
    if harness.isolation == "none" and not harness.cpu_seconds:
        yield not_checked("account", "CPU time of a method that has no process of its own")


def _account(record: Record, said: float) -> Iterator[str]:
    harness = record.harness
    assert harness is not None
    seconds = worked(record.adaptation)
    waited = record.adaptation.waited_seconds or 0.0
    if abs(seconds - said) > SHARE * seconds + SECONDS + waited:
        yield f"its process counted {said:g} s of adaptation, the harness {seconds:g} s"
    background, used = harness.background_cpu_seconds or 0.0, harness.cpu_seconds
    if background > SHARE * seconds + SECONDS:
        yield f"its process used {background:g} s of CPU while the budget's clock stood"
    if used is None:
        return
    if background > used + SECONDS:
        yield f"background_cpu_seconds {background:g} are more than cpu_seconds {used:g}"
    most = harness.wall_seconds * record.machine.cores
    if used > most * (1 + SHARE) + SECONDS:
        yield (
            f"{used:g} s of CPU in {harness.wall_seconds:g} s on {record.machine.cores} cores "
            "are not possible"
        )


def worked(phase: Phase) -> float:
    """Seconds that passed here: what the embedding cache spared was paid for, and not spent."""
    return phase.seconds - (phase.embeddings.owed_seconds if phase.embeddings else 0.0)
