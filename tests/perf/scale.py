"""A large matrix by simulation: `python -m tests.perf.scale VERB UNITS FOLDER` measures one verb.

`generate` writes a record for each unit of a request (small ones: two test cases), as runs would
have left them. The other verbs are what a user types in such a folder: `plan` a request of which
nothing is done, `resume` one of which all is done, `status`, `ls`. Each prints its seconds and its
peak of memory as JSON.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.cli import entry
from bench.data.ready import make_ready
from bench.executors.sweeps import note_sweep
from bench.plan import Plan, choice_key, make_plan
from bench.record.schema import CaseResult, ClassScore, Harness, Machine, Record
from bench.record.store import record_path
from bench.registry import discover
from bench.request.compose import compose_demand

SHOTS, DRAWS = 4, 10


def words(units: int, folder: Path) -> list[str]:
    """A request of so many units; one method without a backbone stands for all."""
    seeds = units // (SHOTS * DRAWS)
    return [
        *("method=control_empty", "dataset=phantom", "shots=1,2,5,10", f"draw=range(0,{DRAWS})"),
        *(f"seed=range(0,{seeds})", "budget=cpu-30s", "device=cpu"),
        *(f"results={folder / 'results'}", f"data.cache={folder / 'cache'}"),
    ]


def plan(units: int, folder: Path) -> Plan:
    registry = discover(())
    demand = compose_demand(words(units, folder), registry, gpu=False)
    ready = {
        choice_key(choice): make_ready(
            registry, choice.dataset, choice.dataset_options, demand.data
        )
        for choice in demand.choices
    }
    made = make_plan(demand, registry, ready, device="cpu", weights={})
    assert len(made.units) == units
    return made


def generate(units: int, folder: Path) -> None:
    """Written without fsync and without a rename: it is the disk of a benchmark."""
    todo = plan(units, folder).todo
    note_sweep(todo, command="python -m bench run ...", executor="local")
    score = ClassScore(tp=9, fp=1, fn=1, dice=0.9, iou=9 / 11, hd95=2.0, assd=0.5, nsd=0.7)
    machine = Machine(
        fingerprint="0" * 12, system="x", cpu="x", cores=2, threads=1, memory_gb=8, device="cpu"
    )
    for unit in todo:
        cases = [
            CaseResult(
                case=case,
                patient=case,
                shape=(8, 32, 32),
                spacing=(3, 1, 1),
                seconds=0.1,
                classes=dict.fromkeys(unit.data.classes, score),
            )
            for case in unit.test[:2]
        ]
        record = Record(
            protocol=1,
            key=unit.key,
            status="done",
            created="2026-01-01T00:00:00+00:00",
            request=unit.request,
            method=unit.method,
            data=unit.data,
            cases=cases,
            machine=machine,
            versions={"python": "3.11"},
            harness=Harness(
                wall_seconds=30,
                method_seconds=20,
                probe_seconds=1,
                scoring_seconds=5,
                overhead_seconds=4,
            ),
        )
        path = record_path(Path(unit.results), unit.request, unit.key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")


def typed(*arguments: str) -> str:
    """What the command line prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert entry(arguments) == 0
    return out.getvalue()


def resume(units: int, folder: Path) -> None:
    assert f"0 units to do, {units} already done" in typed("run", *words(units, folder))


def status(units: int, folder: Path) -> None:
    found = typed("status", "--once", f"results={folder / 'results'}")
    assert found.startswith(f"{units} units · {units} done")


def ls(units: int, folder: Path) -> None:
    assert typed("ls", "records", f"results={folder / 'results'}").startswith(f"records ({units})")


VERBS: dict[str, Callable[[int, Path], object]] = {
    "generate": generate,
    "plan": plan,
    "resume": resume,
    "status": status,
    "ls": ls,
}

if __name__ == "__main__":
    verb, count, place = sys.argv[1:]
    wall, cpu = time.perf_counter(), time.process_time()
    VERBS[verb](int(count), Path(place))
    print(
        json.dumps(
            {
                "seconds": round(time.perf_counter() - wall, 2),
                "cpu": round(time.process_time() - cpu, 2),
                "MiB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            }
        )
    )
    sys.stdout.flush()
    os._exit(0)  # to free a hundred thousand objects one by one is not what is measured
