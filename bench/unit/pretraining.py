"""Pre-training: computed once per key, stored, reused by every unit that shares it, charged to all.

It runs in a worker of its own that is given no label at all. What is stored is checked when it is
read: a damaged file is as good as none.

The key covers the pool with all its datasets, the backbone, the seed, the budget and the options
that the method's card names, so that shot counts and draws of one pool share one result.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from bench.data.store import Store
from bench.errors import MethodError
from bench.record.schema import Phase, Pretraining
from bench.record.whole import clear_scratch, whole
from bench.registry import Registry
from bench.unit.account import check_account
from bench.unit.clock import BudgetClock
from bench.unit.drive import drive
from bench.unit.embeddings import keep_embeddings
from bench.unit.handed import copy_handed
from bench.unit.handover import RemoteWork, give_volumes, start_method
from bench.unit.machine import machine_of
from bench.unit.saved import SavedPhase, file_sha256, place_of
from bench.unit.savepoint import PhaseSavepoint
from bench.unit.spec import Unit
from bench.unit.worker import Worker


def ensure_pretrained(
    unit: Unit, registry: Registry, store: Store, workers: Callable[[], Any]
) -> tuple[Path | None, Pretraining | None]:
    """The file with the pre-trained state, and what that cost whoever computed it.

    Of two units that need it at once, one computes and the other waits.
    """
    spec = unit.pretrain
    if spec is None:
        return None, None
    folder = Path(unit.results) / "pretrained"
    folder.mkdir(parents=True, exist_ok=True)
    state_file = folder / f"{spec.key}.safetensors"
    cost_file = folder / f"{spec.key}.json"
    with FileLock(folder / f"{spec.key}.lock"):
        phase = _stored(state_file, cost_file)
        reused = phase is not None
        if phase is None:
            for file in (state_file, cost_file):
                clear_scratch(file)
            with workers() as worker:
                phase = _pretrain(unit, registry, store, worker, state_file)
            facts = {"sha256": file_sha256(state_file), "phase": phase.model_dump()}
            with whole(cost_file) as scratch:
                scratch.write_text(json.dumps(facts, indent=1), encoding="utf-8")
            for left in folder.glob(f"{spec.key}.saved.*"):
                left.unlink(missing_ok=True)
    pool = len(unit.pool) + sum(len(other.cases) for other in unit.others)
    charged = Pretraining(**phase.model_dump(), key=spec.key, reused=reused, pool=pool)
    return state_file, charged


def _stored(state_file: Path, cost_file: Path) -> Phase | None:
    """What the stored state cost; None where there is none, or none that is whole."""
    if not (state_file.is_file() and cost_file.is_file()):
        return None
    try:
        facts = json.loads(cost_file.read_bytes())
        if facts["sha256"] != file_sha256(state_file):
            raise ValueError(f"{state_file.name} is not what was written")
        return Phase.model_validate(facts["phase"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = str(error).splitlines()[0]
        print(f"the stored pre-training can't be used: {problem}; it is done again", flush=True)
        return None


def _pretrain(
    unit: Unit, registry: Registry, store: Store, worker: Worker, state_file: Path
) -> Phase:
    assert unit.pretrain is not None
    budget, share = unit.request.budget, unit.pretrain.share
    found, _ = registry.method(unit.request.method)
    facts = start_method(worker, unit, found, seed=unit.request.seed)
    embeddings = keep_embeddings(unit, worker)
    worker.call("make")
    give_volumes(worker, unit, store, support=False)
    clock = BudgetClock(
        seconds_limit=None if budget.seconds is None else budget.seconds * share,
        steps_limit=None if budget.steps is None else int(budget.steps * share),
        thread_waited=worker.waited,
    )
    embeddings.ledger = clock.ledger
    place = place_of(machine_of(unit, facts))
    saved = SavedPhase(state_file.with_name(f"{unit.pretrain.key}.saved"), place)
    savepoint = PhaseSavepoint(saved, worker=worker, clock=clock)
    work = RemoteWork(worker, clock)
    if not work.begin("pretrain", pretrained=None, saved=savepoint.hand_over()):
        raise MethodError("its card says that it pre-trains, and it has no method `pretrain`")
    phase = drive(work, clock=clock, savepoint=savepoint).phase
    check_account(work, clock, worker)
    worker.call("state")
    copy_handed(worker.folder / "out" / "state.safetensors", state_file)
    return phase.model_copy(update={"peak_device_bytes": work.device_peaks.get("pretrain")})
