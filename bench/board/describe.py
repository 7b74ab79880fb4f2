"""Budgets, backbones, machines and cells in words, the same on the page and in the terminal."""

from __future__ import annotations

from bench.board.cells import Cell
from bench.board.interval import FEW_PATIENTS, Interval
from bench.board.tables import Row, Table
from bench.board.text import plain, points
from bench.board.units import TableKey
from bench.record.schema import NO_BACKBONE, BudgetSpec, Machine


def budget_text(budget: BudgetSpec) -> str:
    """ "cpu-2min: 120 s of pre-training and adaptation, at most 24 GB"."""
    limits = []
    if budget.seconds is not None:
        limits.append(f"{budget.seconds:g} s of pre-training and adaptation")
    if budget.steps is not None:
        limits.append(f"{budget.steps} optimiser steps")
    if budget.memory_gb is not None:
        limits.append(f"at most {budget.memory_gb:g} GB")
    if budget.seconds is None and budget.steps is None:
        limits.insert(0, "each method's own recipe, ranked apart")
    return plain(f"{budget.name}: {', '.join(limits)}, {budget.probes} probes")


def weights_text(key: TableKey) -> str:
    """The backbone's name; with a warning where its checkpoints are of the other kind."""
    named = "nano" if key.backbone.startswith("nano") else "published"
    if key.weights in (NO_BACKBONE, named):
        return key.backbone
    return f"{key.backbone} with {key.weights} checkpoints"


def place_text(key: TableKey) -> str:
    """Where records were made, the backbone apart: dataset copy, budget, track."""
    track = f" · val={key.val}" if key.val != "none" else ""
    return plain(f"{key.dataset} · {key.budget.name}{track} · protocol {key.protocol}")


def sample_text(patients: int) -> str:
    """The number of test patients, and a warning where they are few."""
    if patients >= FEW_PATIENTS:
        return f"n = {patients}"
    return f"n = {patients}, fewer than {FEW_PATIENTS}: only large differences can be told apart"


def machine_text(machine: Machine) -> str:
    memory = f", {machine.memory_gb:.0f} GB" if machine.memory_gb else ""
    parts = f"{machine.cpu}, {machine.cores} cores, {machine.threads} threads{memory}"
    return plain(f"{machine.fingerprint[:8]}: {machine.device}; {parts}; {machine.system}")


def interval_text(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return f"{points(interval.mean)} [–]"
    return f"{points(interval.mean)} [{points(interval.low)}, {points(interval.high)}]"


def missing_text(cell: Cell) -> str:
    return f"— ({cell.missing} of {len(cell.required)} missing)"


def epochs_text(cell: Cell) -> str:
    if cell.epochs is None:
        return "—"
    sign = ">" if cell.epochs.beyond else ""
    value = cell.epochs.value
    return f"{sign}{value:.1f}" if value < 100 else f"{sign}{value:.0f}"


def best_rows(rows: list[Row], table: Table, score: str) -> set[tuple[str, str]]:
    """(row label, column label) of the cells in bold.

    Of the ranked block only, and only where there are two complete cells to compare: the best mean,
    and every row whose interval reaches the best mean.
    """
    found = set()
    for column in table.columns:
        scored = [
            (row, interval)
            for row in rows
            if (interval := getattr(row.cells[column], score)) is not None
        ]
        if len(scored) < 2 or rows[0].variant.block != "method":
            continue
        best = max(interval.mean for _, interval in scored)
        for row, interval in scored:
            reach = interval.mean if interval.high is None else interval.high
            if reach >= best:
                found.add((row.label, column.label))
    return found
