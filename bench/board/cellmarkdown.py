"""Markdown tables: scores by block, costs by machine, empty masks, failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bench.board.cells import Cell, CostCell
from bench.board.describe import (
    best_rows,
    epochs_text,
    interval_text,
    machine_text,
    missing_text,
)
from bench.board.order import BLOCKS
from bench.board.tables import Row, Table
from bench.board.text import bytes_text, count_text, markdown, seconds_text, shorten

TITLES = {"dice": "Dice", "iou": "IoU", "epochs": "Epochs to convergence"}
BLOCK_TITLES = {
    "method": "",
    "seen": "Not ranked: a checkpoint that may have been trained on these patients",
    "control": "Controls",
    "oracle": "Oracle-prompted: the prompt is made from the test label",
}
REASON_LIMIT = 160


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Cells are Markdown already."""
    rule = ["---"] * len(header)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (header, rule, *lines))


def block_tables(board: Table, score: str, links: Mapping[str, str] = MappingProxyType({})) -> str:
    """The ranked methods, then each block that is not ranked with them, apart. `links`: of rows."""
    parts = [f"### {TITLES[score]}\n"]
    for name in BLOCKS:
        rows = board.block(name)
        if not rows:
            continue
        bold = best_rows(rows, board, score) if score != "epochs" else set()
        header = ["method", *(f"{markdown(column.label)}" for column in board.columns)]
        lines = [
            [
                _linked(row, links),
                *(
                    _cell(row.cells[column], score, bold=(row.label, column.label) in bold)
                    for column in board.columns
                ),
            ]
            for row in rows
        ]
        title = BLOCK_TITLES[name]
        parts.append((f"{title}\n\n" if title else "") + table(header, lines))
    return "\n".join(parts)


def _linked(row: Row, links: Mapping[str, str]) -> str:
    text = markdown(row.label)
    return f"[{text}]({links[row.label]})" if row.label in links else text


def _cell(cell: Cell, score: str, *, bold: bool) -> str:
    if not cell.complete:
        return missing_text(cell)
    if score == "epochs":
        return markdown(epochs_text(cell))
    interval = getattr(cell, score)
    if interval is None:
        return "— (nothing to score)"
    text = interval_text(interval).replace("[", "\\[").replace("]", "\\]")
    return f"**{text}**" if bold else text


def cost_tables(board: Table) -> str:
    """A table for each machine; a line for each row and column."""
    header = [
        *("method", "shots", "units", "pre-training s", "adaptation s", "total s"),
        *("training samples/s", "slices/s", "volumes/min", "host memory", "device memory"),
        *("trainable parameters", "all parameters"),
    ]
    parts = []
    for machine in board.machines:
        lines = [
            _cost_line(row, column.label, row.cells[column], cost)
            for name in BLOCKS
            for row in board.block(name)
            for column in board.columns
            for cost in row.cells[column].costs
            if cost.machine.fingerprint == machine.fingerprint
        ]
        if lines:
            title = f"### Cost on machine {markdown(machine_text(machine))}"
            parts.append(f"{title}\n\n{table(header, lines)}")
    return "\n".join(parts)


def _cost_line(row: Row, shots: str, cell: Cell, cost: CostCell) -> list[str]:
    """`units` says how many there are, and how many draws a complete cell needs."""
    medians = cost.medians
    partial = not cell.complete or len(cell.costs) > 1
    count = f"{len(cost.units)} (of {len(cell.required)} draws)" if partial else len(cost.units)
    return [
        *(markdown(row.label), markdown(shots), str(count)),
        seconds_text(medians["pretraining_seconds"]),
        seconds_text(medians["adaptation_seconds"]),
        seconds_text(medians["total_seconds"]),
        seconds_text(medians["train_samples_per_second"]),
        seconds_text(medians["slices_per_second"]),
        seconds_text(medians["volumes_per_minute"]),
        bytes_text(medians["peak_host_bytes"]),
        bytes_text(medians["peak_device_bytes"]),
        count_text(medians["trainable_parameters"]),
        count_text(medians["total_parameters"]),
    ]


def empty_table(board: Table) -> str:
    """Cases where reference, prediction or both were empty, over all done units; "" for none."""
    lines = []
    unit = next((unit.volume_unit for unit in board.units), "ml")
    for row, column, cell in board.every_cell():
        if not cell.empties:
            continue
        counts = cell.empty_counts
        mean = cell.false_volume / counts[2] if counts[2] else None
        volume = "—" if mean is None else f"{mean:.3g}"
        lines.append([markdown(row.label), markdown(column.label), *map(str, counts), volume])
    if not lines:
        return ""
    header = [
        *("method", "shots", "both empty (left out)", "missed", "false positive"),
        f"mean false volume, {unit}",
    ]
    note = "Counts of case and class, over the draws and seeds that are done.\n\n"
    return "### Empty masks\n\n" + note + table(header, lines)


def failed_lines(board: Table) -> dict[str, list[str]]:
    """Key -> a line of `failed_table`."""
    return {
        unit.key: [
            *(markdown(board.labels[unit.variant]), markdown(unit.shots)),
            *(markdown(unit.draw), str(unit.seed)),
            *(markdown(shorten(unit.problem or "", REASON_LIMIT)), markdown(unit.key)),
        ]
        for unit in board.failed
    }


def failed_table(boards: Sequence[Mapping[str, list[str]]]) -> str:
    """The units that do not count, each once with the numbers of its sections; "" for none."""
    sections: dict[str, list[str]] = {}
    lines: dict[str, list[str]] = {}
    for number, board in enumerate(boards, 1):
        for key, line in board.items():
            sections.setdefault(key, []).append(str(number))
            lines.setdefault(key, line)
    if not lines:
        return ""
    return table(
        ["section", "method", "shots", "draw", "seed", "reason", "record"],
        [[", ".join(sections[key]), *line] for key, line in lines.items()],
    )
