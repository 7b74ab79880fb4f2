"""python -m bench run method=NAMES [dataset=NAMES] [shots=1,5,10] [draw=0,1,2] [key=value ...]

Runs every unit of the request that has no record yet, and records it.

  method=unet,control_atlas   several values: commas, range(a,b), choice(x,y); method=all
  dataset=promise12           dataset=all: every one; data.root=DIR: where your copies are
  shots=1,5 | 10% | 20s       labelled patients, share of the training patients, labelled slices
  draw=0,1,2                  which random order of the patients; without it: three draws
  budget=cpu-2min             `ls budgets`; also budget.seconds=90
  backbone=nano               `ls backbones`; backbone.sam=vit_l for a single one
  method.lr=1e-3              any option of the method's card (`show METHOD`)
  pool=own                    whose images without labels methods may see; pool=promise12,la2018
  seed=0  val=none|oracle     seed; whether the probe may select the state
  device=auto|cpu|cuda|cuda:1 executor=local|inline|slurm   executor.jobs=2
  executor=slurm              jobs on a cluster: executor.partition=gpu executor.time=4h ...
                              (`show slurm`, docs/cluster.md)
  deterministic=true          on a GPU with deterministic algorithms: slower, repeatable to the bit
                              where the card says so (`show METHOD`)
  results=DIR  keep=predictions,state  rerun=failed|all
  predict_limit=SECONDS       for the prediction of one volume; without it, 20 times the median of
                              the data set's records
  data.partial=true           run on a copy that lacks cases, under another name
  data.skip_bad=true          leave broken cases out, and say so in every record
  data.hash_ids=true          cases and patients of your own volumes go by hashed names
  data.cache=DIR              where downloads and converted volumes go

Units that are done are skipped. Ctrl-C keeps what is done; the same command goes on from there, and
a unit whose method can be resumed goes on from its last step. `status` shows how a sweep goes.
Exit code: 0 all done, 1 a unit failed, 2 a wrong request, 130 interrupted.
"""

from __future__ import annotations

import shlex
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.cli.progress import UnitProgress
from bench.data.ready import Ready, make_ready
from bench.device import check_device_word, resolve_device
from bench.errors import RequestError, one_line
from bench.executors import make_executor
from bench.executors.known import executor_class
from bench.executors.sweeps import note_sweep
from bench.plan import Plan, choice_key, make_plan
from bench.predict_limit import with_predict_limit
from bench.record.store import read_record, status_of
from bench.registry import Registry, discover
from bench.request.checks import check_name, default_of
from bench.request.compose import compose_demand
from bench.request.demand import Demand
from bench.unit.spec import Unit
from bench.unit.trail import path_of, tidy


def main(arguments: Sequence[str], include: tuple[Path, ...]) -> int:
    folders = [word for path in include for word in ("--include", str(path))]
    command = " ".join(["python -m bench run", *map(shlex.quote, (*arguments, *folders))])
    return run(arguments, include, command=command)


def run(arguments: Sequence[str], include: tuple[Path, ...], *, command: str) -> int:
    """`command`: what to type to go on after an interrupt."""
    registry = discover(include)
    device = device_of(arguments)
    demand = compose_demand(arguments, registry, gpu=device.startswith("cuda"))
    ready: dict[str, Ready] = {}
    for choice in demand.choices:
        if choice_key(choice) not in ready:
            ready[choice_key(choice)] = make_ready(
                registry, choice.dataset, choice.dataset_options, demand.data
            )
    weights = make_weights(demand, registry)
    plan = make_plan(demand, registry, ready, device=device, include=include, weights=weights)
    print(headline(demand, plan, device), flush=True)
    tidy(plan.done)
    if not plan.todo:
        return report(plan)
    plan = replace(plan, todo=with_predict_limit(plan.todo, demand.predict_limit))
    executor = make_executor(demand.executor)
    note_sweep(plan.todo, command=command, executor=str(demand.executor["name"]))
    progress = UnitProgress(plan.todo)
    try:
        with progress, _terminated_as_interrupted():
            executor.run(plan.todo, progress.report)
    except KeyboardInterrupt:
        print(f"\nstopped: {progress.done} of {len(plan.todo)} units done, nothing of them is lost")
        if hasattr(executor, "left"):
            print(executor.left)
        print(f"to go on: {command}", flush=True)
        return 130
    return report(plan, waited=getattr(executor, "waits", True))


def device_of(arguments: Sequence[str]) -> str:
    """What is here; where units run elsewhere, what the request says."""
    words = {key: value for key, _, value in (word.partition("=") for word in arguments)}
    given = words.get("device", "auto")
    name = words.get("executor", default_of("executor"))
    check_name("executor", name)
    if not getattr(executor_class(name), "remote", False):
        return resolve_device(given)
    check_device_word(given)
    if ":" in given:
        raise RequestError(f"device={given}: executor={name} gives each job its GPUs; say cuda")
    if given == "auto":
        return "cpu" if words.get("executor.gpus", "auto") in ("auto", "0") else "cuda"
    return given


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """A plain `kill` is Ctrl-C: units leave what they need to go on."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def make_weights(demand: Demand, registry: Registry) -> dict[tuple[str, str], str]:
    """The checkpoints that the chosen methods take, downloaded and checked: their hashes."""
    needed = {
        (family, choice.backbone[family])
        for choice in demand.choices
        for family in registry.method(choice.method)[1].families(choice.options)
    }
    if not needed:
        return {}
    from bench.models.checkpoints import card_of, checkpoint_file, checkpoint_hash

    cache = demand.data["cache"]
    for family, name in sorted(needed):
        checkpoint_file(card_of(family, name), cache)
    return {pair: checkpoint_hash(card_of(*pair), cache) for pair in needed}


def headline(demand: Demand, plan: Plan, device: str) -> str:
    """What was resolved: device, backbone, budget, units to do and already done."""
    backbones = sorted({unit.request.backbone for unit in plan.units} - {"none"})
    budgets = sorted({choice.budget.name for choice in demand.choices})
    parts = [
        f"device {device}",
        f"backbone {', '.join(backbones) or 'none needed'}",
        f"budget {', '.join(budgets)}",
        f"{len(plan.todo)} units to do, {len(plan.done)} already done",
    ]
    if plan.failed:
        parts.append(f"{len(plan.failed)} failed before (rerun=failed tries them again)")
    return " · ".join(parts)


def report(plan: Plan, *, waited: bool = True) -> int:
    """The end of a run: what failed, with reason and log; where the records are. `waited`: a unit
    without a record is one that was left, which is no success."""
    failed: list[tuple[Unit, str, str]] = []
    done = left = 0
    for unit in plan.units:
        path = path_of(unit)
        try:
            status = status_of(path)
            record = read_record(path) if status == "failed" else None
        except RequestError as error:
            failed.append((unit, str(error), ""))
            continue
        left += status is None
        done += status == "done"
        if record is not None:
            log = f"  log: {Path(unit.results) / record.files.log}" if record.files.log else ""
            failed.append((unit, record.reason or "", log))
    where = Path(plan.units[0].results) / "records" if plan.units else Path("results")
    print(f"{done} of {len(plan.units)} units done; records in {shorten(where)}")
    for unit, reason, log in failed:
        print(one_line(f"failed: {unit.title}: {reason}"))
        if log:
            print(one_line(log))
    if left:
        print(f"{left} have no record yet: python -m bench status results={shorten(where.parent)}")
    return 1 if failed or (left and waited) else 0


def shorten(path: Path) -> str:
    """Relative to here where that is shorter."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
