"""The cost of a row, shared out: what one target task costs if pre-training serves m of them.

Device seconds: pre-training / m + adaptation + prediction of the test set. Pre-training on the
target's own unlabelled images serves that target alone; m > 1 says what it would cost if its result
were used for further targets, as the papers mean it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.board.cells import Cell
from bench.board.units import Unit
from bench.record.schema import Machine

TARGETS = (1, 5, 20)


@dataclass(frozen=True, eq=False)
class Ledger:
    """Medians over the done units of one cell on one machine.

    cases      test cases that are predicted
    amortised  m -> device seconds of one target task
    """

    machine: Machine
    units: int
    cases: float
    pretraining: float
    adaptation: float
    inference: float
    amortised: dict[int, float]


def ledgers(cell: Cell) -> list[Ledger]:
    """One a machine: seconds of two machines are never put together."""
    return [_ledger(cost.machine, cost.units) for cost in cell.costs]


def _ledger(machine: Machine, units: Sequence[Unit]) -> Ledger:
    return Ledger(
        machine=machine,
        units=len(units),
        cases=median(unit.cases for unit in units),
        pretraining=median(unit.cost.pretraining_seconds for unit in units),
        adaptation=median(unit.cost.adaptation_seconds for unit in units),
        inference=median(unit.cost.inference_seconds for unit in units),
        amortised={m: median(target_seconds(unit, m) for unit in units) for m in TARGETS},
    )


def target_seconds(unit: Unit, targets: int) -> float:
    cost = unit.cost
    return cost.pretraining_seconds / targets + cost.adaptation_seconds + cost.inference_seconds
