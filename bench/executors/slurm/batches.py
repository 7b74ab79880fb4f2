"""What was submitted from a results folder: a file a submission, found by any shell.

The file is there before anything is submitted, and a job is known by its name and its place in the
array. A shell that is killed between two lines leaves nothing that the next one can't find.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter

from bench.errors import RequestError
from bench.executors.slurm.queue import Job, end_of, live_jobs
from bench.executors.starts import Start, last_start
from bench.executors.sweeps import FOLDER, write_json
from bench.smallfile import read_json

SETTLED = 3600.0
"""Seconds after which a submission has come to its end, one way or the other."""


@dataclass(frozen=True)
class Array:
    """name   of its jobs in Slurm
    stage  "all", or "pretrain": then the keys are those of the pre-training
    keys   for each job, the units that it runs
    job    Slurm's number, as soon as there is one
    """

    name: str
    stage: str
    keys: tuple[tuple[str, ...], ...]
    job: str | None = None

    def job_of(self, index: int) -> str | None:
        if self.job is None:
            return None
        return self.job if len(self.keys) == 1 else f"{self.job}_{index}"


ARRAYS = TypeAdapter(tuple[Array, ...])
STARTS = TypeAdapter(dict[str, str])


@dataclass(frozen=True)
class Batch:
    """One submission.

    folder  what its jobs read, and where Slurm puts their output
    starts  its units that had been started before, each with the name of its last start
    """

    folder: Path
    arrays: tuple[Array, ...]
    starts: Mapping[str, str] = field(default_factory=dict)

    def write(self) -> None:
        """On the disk when it returns: jobs are submitted then, and nothing else names them."""
        content = {"arrays": [asdict(array) for array in self.arrays], "starts": dict(self.starts)}
        write_json(self.folder / "batch.json", content, lasting=True)

    def with_job(self, name: str, job: str) -> Batch:
        arrays = tuple(replace(a, job=job) if a.name == name else a for a in self.arrays)
        return replace(self, arrays=arrays)

    @property
    def over(self) -> bool:
        """None of its jobs will ever be live again: nobody needs to ask Slurm."""
        return (self.folder / "over").exists()

    def close(self, live: Mapping[tuple[str, int], Job]) -> None:
        """Marks it as over, where it is. A new one is left alone: it may just be submitting."""
        named = {name for name, _ in live}
        old = time.time() - (self.folder / "batch.json").stat().st_mtime > SETTLED
        if old and not any(array.name in named for array in self.arrays):
            (self.folder / "over").touch()

    def output(self, array: Array, index: int) -> Path | None:
        """What the job itself printed; the units have logs of their own."""
        job = array.job_of(index)
        return None if job is None else self.folder / "jobs" / f"{job}_0_log.out"


@dataclass(frozen=True)
class Place:
    """Where a unit was put last. `job`: while it is live."""

    batch: Batch
    array: Array
    index: int
    job: Job | None

    @property
    def number(self) -> str | None:
        return self.job.id if self.job else self.array.job_of(self.index)

    def start(self, key: str) -> Start | None:
        """The unit's last start, where it was made since the job was submitted."""
        start = last_start(self.batch.folder.parents[1], key)
        return None if start is None or start.name == self.batch.starts.get(key) else start

    def end(self) -> tuple[str, str]:
        return ("", "") if self.number is None else end_of(self.number)


def read_batches(results: Path) -> Iterator[Batch]:
    """Oldest first."""
    files = sorted(
        (results / FOLDER).glob("slurm-*/batch.json"), key=lambda file: file.stat().st_mtime_ns
    )
    for file in files:
        try:
            content = read_json(file)
            arrays = ARRAYS.validate_python(content["arrays"])
            starts = STARTS.validate_python(content.get("starts", {}))
        except (OSError, ValueError, LookupError, TypeError):
            name = file.parent.name.replace("slurm", "sambench", 1)
            raise RequestError(
                f"{file} can't be read: when no job {name}-* is left (squeue --me), delete "
                f"{file.parent}; the same `run` command submits again what has no record"
            ) from None
        yield Batch(file.parent, arrays, starts)


def last_output(results: Path, key: str) -> Path | None:
    """Of the last job that had the unit, where that has printed anything. Asks Slurm nothing."""
    found = None
    for batch in read_batches(results):
        for array in batch.arrays:
            for index, keys in enumerate(array.keys):
                output = batch.output(array, index) if key in keys else None
                if output is not None and output.is_file():
                    found = output
    return found


def places(results: Path, stage: str = "all") -> dict[str, Place]:
    """key -> where the unit was put; a live job counts more than a later one that is gone."""
    batches = list(read_batches(results))
    asked = [batch for batch in batches if not batch.over]
    live = live_jobs([array.name for batch in asked for array in batch.arrays])
    for batch in asked:
        batch.close(live)
    found: dict[str, Place] = {}
    for batch in batches:
        for array in batch.arrays:
            if array.stage != stage:
                continue
            for index, keys in enumerate(array.keys):
                job = live.get((array.name, index))
                for key in keys:
                    if job is not None or key not in found or found[key].job is None:
                        found[key] = Place(batch, array, index, job)
    return found
