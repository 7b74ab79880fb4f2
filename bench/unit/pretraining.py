"""Pre-training: computed once per key, stored, reused by every unit that shares it, charged to all.

The key covers the pool with all its datasets, the backbone, the seed, the budget and the options
that the method's card names, so that shot counts and draws of one pool share one result.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from bench.contract import Task
from bench.record.schema import Phase, Pretraining
from bench.record.whole import whole
from bench.unit.clock import BudgetClock
from bench.unit.device import synchroniser
from bench.unit.drive import drive
from bench.unit.rng import RandomStream
from bench.unit.saved import SavedState, place_of
from bench.unit.savepoint import Savepoint
from bench.unit.spec import Unit
from bench.unit.state import load_state, save_state


def ensure_pretrained(
    unit: Unit, make: Callable[[], Any], task: Task
) -> tuple[Task, Pretraining | None]:
    """The task with the pre-trained state in it, and what that state cost whoever computed it.

    The method that pre-trained is thrown away: a unit starts from the stored state in any case.

    Of two units that need it at once, one computes and the other waits.
    """
    spec = unit.pretrain
    if spec is None:
        return task, None
    folder = Path(unit.results) / "pretrained"
    folder.mkdir(parents=True, exist_ok=True)
    state_file = folder / f"{spec.key}.safetensors"
    cost_file = folder / f"{spec.key}.json"
    with FileLock(folder / f"{spec.key}.lock"):
        reused = state_file.is_file() and cost_file.is_file()
        if not reused:
            random = RandomStream(unit.request.seed)
            with random.use():
                method = make()
            saved = SavedState(folder / f"{spec.key}.saved.safetensors", place_of(unit))
            phase = _pretrain(unit, method, task, random=random, saved=saved)
            save_state(state_file, method.state_dict())
            with whole(cost_file) as scratch:
                scratch.write_text(phase.model_dump_json(indent=1), encoding="utf-8")
            saved.clear()
    cost = json.loads(cost_file.read_text(encoding="utf-8"))
    charged = Pretraining(**cost, key=spec.key, reused=reused, pool=len(task.unlabelled))
    return replace(task, pretrained=load_state(state_file)), charged


def _pretrain(
    unit: Unit, method: Any, task: Task, *, random: RandomStream, saved: SavedState
) -> Phase:
    assert unit.pretrain is not None
    budget, share = unit.request.budget, unit.pretrain.share
    clock = BudgetClock(
        seconds_limit=None if budget.seconds is None else budget.seconds * share,
        steps_limit=None if budget.steps is None else int(budget.steps * share),
        synchronise=synchroniser(unit.device),
        savepoint=Savepoint(saved),
    )
    unlabelled_only = replace(task, support=())
    return drive(
        method.pretrain(unlabelled_only, clock),
        clock=clock,
        random=random,
    ).phase
