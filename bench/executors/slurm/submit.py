"""Units -> job arrays, submitted once: what a live job has already is left to it."""

from __future__ import annotations

import math
import shlex
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import RequestError
from bench.executors.slurm.batches import Array, Batch, places
from bench.executors.slurm.expected import Bundle, bundles, expectations
from bench.executors.slurm.job import SlurmJob
from bench.executors.slurm.options import SlurmOptions
from bench.executors.starts import start_names
from bench.executors.sweeps import FOLDER, write_json
from bench.registry import ROOT
from bench.unit.spec import Unit

LONGEST_ARRAY = 1000
"""Slurm's own limit (MaxArraySize), where nobody changed it."""
MARGIN = 300.0
"""Seconds that a job gets on top of its units."""
ENDLESS = 1000
"""Times that submitit puts a job back: how often is too often, the job itself knows."""


@dataclass(frozen=True)
class _Planned:
    """An array before it is submitted. `after`: a pre-training that must have ended."""

    array: Array
    bundles: tuple[Bundle, ...]
    after: str | None = None


def submit(
    units: Sequence[Unit], before: Mapping[str, int | None], options: SlurmOptions
) -> list[Unit]:
    """The units that went to new jobs. Call it with the results folder's submit lock held."""
    results = Path(units[0].results)
    live = {key for key, place in places(results).items() if place.job is not None}
    todo = [unit for unit in units if unit.key not in live]
    if not todo:
        return []
    ahead = {
        key: place.job.id
        for key, place in places(results, "pretrain").items()
        if place.job is not None
    }
    batch_id = uuid.uuid4().hex[:8]
    planned = _plan(todo, options, batch_id, ahead)
    arrays = tuple(plan.array for plan in planned)
    starts = start_names(results, (unit.key for unit in todo))
    batch = Batch(results / FOLDER / f"slurm-{batch_id}", arrays, starts)
    batch.write()
    for plan in planned:
        job = _submit_array(batch, plan, before, options, ahead.get(plan.after or ""))
        batch = batch.with_job(plan.array.name, job)
        batch.write()
        if plan.array.stage == "pretrain":
            array = batch.arrays[planned.index(plan)]
            for index, keys in enumerate(array.keys):
                ahead[keys[0]] = str(array.job_of(index))
    return todo


def _plan(
    todo: Sequence[Unit], options: SlurmOptions, batch_id: str, ahead: Mapping[str, str]
) -> list[_Planned]:
    """Pre-training that nobody has done or is doing comes first, a job each."""
    expected = expectations(todo)
    groups: dict[str | None, list[Unit]] = {}
    alone: dict[str, Unit] = {}
    for unit in todo:
        spec = unit.pretrain
        waits = spec is not None and not _pretrained(unit)
        if spec is not None and waits and spec.key not in ahead:
            alone.setdefault(spec.key, unit.model_copy(update={"stage": "pretrain"}))
        groups.setdefault(spec.key if spec is not None and waits else None, []).append(unit)
    planned: list[_Planned] = []

    def add(stage: str, found: Sequence[Bundle], after: str | None) -> None:
        for first in range(0, len(found), LONGEST_ARRAY):
            part = tuple(found[first : first + LONGEST_ARRAY])
            keys = tuple(tuple(_key(unit) for unit in bundle.units) for bundle in part)
            name = f"sambench-{batch_id}-{len(planned)}"
            planned.append(_Planned(Array(name, stage, keys), part, after))

    add("pretrain", [Bundle((u,), expected[u.key].limit) for u in alone.values()], None)
    for after, units in groups.items():
        add("all", bundles(units, expected, most=options.bundle), after)
    return planned


def _key(unit: Unit) -> str:
    return unit.pretrain.key if unit.stage == "pretrain" and unit.pretrain else unit.key


def _pretrained(unit: Unit) -> bool:
    assert unit.pretrain is not None
    folder = Path(unit.results) / "pretrained"
    names = (f"{unit.pretrain.key}.safetensors", f"{unit.pretrain.key}.json")
    return all((folder / name).is_file() for name in names)


def _submit_array(
    batch: Batch,
    plan: _Planned,
    before: Mapping[str, int | None],
    options: SlurmOptions,
    after: str | None,
) -> str:
    """Slurm's number of the new array."""
    try:
        import submitit
    except ImportError:
        raise RequestError(
            "executor=slurm needs submitit: python -m pip install 'sambench[slurm]'"
        ) from None
    limit = max(bundle.limit for bundle in plan.bundles) + options.grace + MARGIN
    minutes = options.minutes or math.ceil(limit / 60)
    jobs = []
    for index, bundle in enumerate(plan.bundles):
        file = batch.folder / "units" / f"{plan.array.name}-{index}.json"
        content = {
            "stage": plan.array.stage,
            "units": [unit.model_dump(mode="json") for unit in bundle.units],
            "before": {unit.key: before.get(unit.key) for unit in bundle.units},
            "options": {
                "jobs": "auto",
                "threads": max(1, options.cpus // max(1, _gpus(bundle.units, options))),
                "timeout": options.timeout,
            },
        }
        write_json(file, content)
        jobs.append(SlurmJob(str(file), minutes, options.grace))
    executor = submitit.SlurmExecutor(batch.folder / "jobs", max_num_timeout=ENDLESS)
    executor.update_parameters(**_parameters(plan, options, minutes, after))
    try:
        with executor.batch():
            submitted = [executor.submit(job) for job in jobs]
    except submitit.core.utils.FailedJobError as error:
        line = " ".join(str(error).split())[-300:]
        raise RequestError(f"sbatch refused the jobs: {line}") from None
    return str(submitted[0].job_id).partition("_")[0]


def _parameters(
    plan: _Planned, options: SlurmOptions, minutes: int, after: str | None
) -> dict[str, Any]:
    gpus = _gpus(plan.bundles[0].units, options)
    given = {
        "job_name": plan.array.name,
        "time": minutes,
        "cpus_per_task": options.cpus,
        "gpus_per_node": gpus or None,
        "mem_gb": options.mem_gb,
        "partition": options.partition,
        "array_parallelism": options.parallel,
        "signal_delay_s": options.grace,
        # Failed or not: a unit that does not find its pre-training meets the error and records it.
        "dependency": None if after is None else f"afterany:{after}",
        "setup": [
            f"export PYTHONPATH={shlex.quote(str(ROOT))}${{PYTHONPATH:+:$PYTHONPATH}}",
            "export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK",
            *options.setup,
        ],
        "stderr_to_stdout": True,
        "additional_parameters": {"requeue": True, **options.extra},
    }
    return {name: value for name, value in given.items() if value is not None}


def _gpus(units: Sequence[Unit], options: SlurmOptions) -> int:
    if options.gpus is not None:
        return options.gpus
    return int(any(unit.device.startswith("cuda") for unit in units))
