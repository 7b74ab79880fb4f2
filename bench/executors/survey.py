"""How every unit stands that was asked for in a results folder, by whatever shell and executor."""

from __future__ import annotations

import fcntl
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import RequestError
from bench.executors.slurm.batches import Place, places
from bench.executors.starts import last_start
from bench.executors.sweeps import Sweep, read_sweeps
from bench.record.store import read_record, status_of

STATES = ("done", "failed", "running", "queued", "stopped", "not started")


@dataclass(frozen=True)
class Standing:
    """where  the job and node of a unit that runs on a cluster; since  when it began"""

    key: str
    title: str
    state: str
    where: str = ""
    since: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Survey:
    units: tuple[Standing, ...]
    command: str = ""
    note: str = ""
    counts: Counter[str] = field(default_factory=Counter)

    def of(self, state: str) -> list[Standing]:
        return [unit for unit in self.units if unit.state == state]

    @property
    def moves(self) -> bool:
        """Something will change without anybody's doing."""
        return bool(self.counts["running"] or self.counts["queued"])


def survey(results: Path, known: Survey | None = None) -> Survey:
    """`known`: an earlier one; what was done by then is not looked at again."""
    sweeps = list(read_sweeps(results))
    found, note = _places(results)
    over = {unit.key: unit for unit in known.of("done")} if known else {}
    units: dict[str, Standing] = {}
    for sweep in sweeps:
        for key in sweep.units:
            if key not in units:
                units[key] = over.get(key) or _standing(results, sweep, key, found.get(key))
    return Survey(
        units=tuple(units.values()),
        command=sweeps[-1].command if sweeps else "",
        counts=Counter(unit.state for unit in units.values()),
        note=note,
    )


def _places(results: Path) -> tuple[dict[str, Place], str]:
    """None, and why, where Slurm or a submission's file doesn't say: records are seen all the
    same."""
    try:
        return places(results), ""
    except RequestError as error:
        return {}, f"jobs that wait are not seen: {error}"


def _standing(results: Path, sweep: Sweep, key: str, place: Place | None) -> Standing:
    title, record = sweep.units[key]
    status = status_of(results / record)
    if status == "failed":
        return Standing(key, title, status, reason=read_record(results / record).reason or "")
    if status is not None:
        return Standing(key, title, status)
    if place is not None and place.job is not None:
        job, start = place.job, place.start(key)
        if job.queued or start is None or start.stopped:
            why = job.reason if job.queued and job.reason not in ("None", "") else ""
            return Standing(key, title, "queued", where=f"job {job.id}", reason=why)
        where = f"job {job.id} on {job.node}"
        return Standing(key, title, "running", where, f"since {start.since}")
    start = last_start(results, key)
    if _held(results / ".locks" / f"{key}.lock"):
        return Standing(key, title, "running", since=f"since {start.since}" if start else "")
    if start is not None:
        return Standing(key, title, "stopped", since=f"began {start.since}")
    return Standing(key, title, "not started")


def _held(lock: Path) -> bool:
    """Somebody runs the unit. To ask is to hold it for a moment, shared: a runner looks again."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(file, fcntl.LOCK_UN)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
