"""Pre-training: computed once per key, stored, reused by every unit that shares it, charged to all.

What is stored is checked when it is read: a damaged file is as good as none.

The key covers the pool with all its datasets, the backbone, the seed, the budget and the options
that the method's card names, so that shot counts and draws of one pool share one result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from bench.contract import Task
from bench.errors import RequestError
from bench.record.schema import Phase, Pretraining
from bench.record.whole import clear_scratch, whole
from bench.unit.clock import BudgetClock
from bench.unit.device import PRETRAIN, DevicePeaks, synchroniser
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
    saved = SavedState(folder / f"{spec.key}.saved.safetensors", place_of(unit))
    with FileLock(folder / f"{spec.key}.lock"):
        found = _stored(state_file, cost_file)
        reused = found is not None
        if found is None:
            for file in (state_file, cost_file, saved.path):
                clear_scratch(file)
            random = RandomStream(unit.request.seed)
            with random.use():
                method = make()
            phase = _pretrain(unit, method, task, random=random, saved=saved)
            save_state(state_file, method.state_dict())
            with whole(cost_file) as scratch:
                scratch.write_text(phase.model_dump_json(indent=1), encoding="utf-8")
            found = load_state(state_file), phase
        saved.clear()
    state, phase = found
    charged = Pretraining(
        **phase.model_dump(), key=spec.key, reused=reused, pool=len(task.unlabelled)
    )
    return replace(task, pretrained=state), charged


def _stored(state_file: Path, cost_file: Path) -> tuple[dict[str, Any], Phase] | None:
    """The state and what it cost; None where there is none, or none that is whole."""
    if not (state_file.is_file() and cost_file.is_file()):
        return None
    try:
        return load_state(state_file), Phase.model_validate_json(cost_file.read_bytes())
    except (RequestError, ValueError) as error:
        problem = str(error).splitlines()[0]
        print(f"the stored pre-training can't be used: {problem}; it is done again", flush=True)
        return None


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
    peaks = DevicePeaks(unit.device)
    with peaks.of(PRETRAIN):
        phase = drive(method.pretrain(unlabelled_only, clock), clock=clock, random=random).phase
    return phase.model_copy(update={"peak_device_bytes": peaks.found.get(PRETRAIN)})
