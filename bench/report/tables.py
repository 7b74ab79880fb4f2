"""The board's tables, one section a comparison."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence

from bench.board.cells import Cell as BoardCell
from bench.board.describe import (
    budget_text,
    epochs_text,
    interval_text,
    machine_text,
    missing_text,
    sample_text,
    weights_text,
)
from bench.board.doubts import doubt_texts
from bench.board.headline import (
    controls_words,
    group_words,
    headlines,
    memory_of,
    patients_words,
    seconds_of,
)
from bench.board.order import BLOCKS
from bench.board.recipe import command_of
from bench.board.statistics import TableStatistics
from bench.board.tables import Row, Table
from bench.board.text import bytes_text, count_text, seconds_text
from bench.report.html import Cell, cell, details, paragraphs, table, text

SECONDS = (
    *("pretraining_seconds", "adaptation_seconds", "inference_seconds"),
    *("train_samples_per_second", "slices_per_second", "volumes_per_minute"),
)


def title_of(one: Table) -> str:
    key = one.key
    track = "" if key.val == "none" else f" · val={key.val}"
    return f"{key.dataset} · backbone {weights_text(key)} · {key.budget.name}{track}"


def overview(statistics: Sequence[TableStatistics]) -> str:
    """Best tied group of each column, and what it cost."""
    rows = []
    for one in headlines(statistics):
        best = one.best
        place = f'<a href="#t-{one.table.key.id}">{text(title_of(one.table))}</a>'
        first = [Cell(place, title_of(one.table), heading=True), cell(one.column.label)]
        if best is None or best.dice is None:
            rows.append([*first, cell("no complete row"), *[cell(None)] * 5])
            continue
        name, rest = group_words(one)
        group = f"<strong>{text(name)}</strong>{text(rest)}"
        seconds, memory = seconds_of(best), memory_of(best)
        rows.append(
            [
                *(*first, Cell(group, name)),
                Cell(text(interval_text(best.dice)), best.dice.mean),
                Cell("several machines" if seconds is None else f"{seconds:.0f}", seconds),
                Cell(text(bytes_text(memory)), memory),
                *(cell(controls_words(one)), Cell(patients_words(one), best.dice.patients)),
            ]
        )
    header = [
        *("comparison", "shots", "best, and not told apart from it", "Dice of the best, %"),
        *("its seconds", "its memory", "beats the controls", "test patients"),
    ]
    return table("Best tied group of each shot count", header, rows)


def section(
    found: TableStatistics, figures: Mapping[str, tuple[str, str]], *, everything: bool
) -> str:
    """`figures`: title -> (file name, SVG). `everything`: with the pairs, which are many."""
    board = found.table
    facts = [*_facts(board), *doubt_texts(found)]
    parts = [
        f'<section class="board" id="t-{board.key.id}"><h3>{text(title_of(board))}</h3>',
        details("What was compared, where and how", paragraphs(facts)),
        _scores(found, "dice"),
        '<p class="note">Percent; in brackets a 95 % interval. Letters: rows of a column that '
        "share one were not told apart.</p>",
        details("IoU", _scores(found, "iou")),
        details("Epochs to convergence", _scores(found, "epochs")),
        details("Costs and speeds", _costs(board)),
    ]
    if everything and found.pairs:
        parts.append(details("Pairs", _pairs(found)))
    parts.append(details("How to reproduce each cell", _commands(board)))
    for place, (title, (_, svg)) in enumerate(figures.items()):
        parts.append(details(title, _figure(title, svg), opened=place == 0))
    return "".join([*parts, "</section>"])


def _figure(title: str, svg: str) -> str:
    """As an image: nothing in it can run, and its ids stay its own."""
    data = base64.b64encode(svg.encode("utf-8", "backslashreplace")).decode()
    return (
        f'<figure class="plot" tabindex="0"><img alt="{text(title)}" '
        f'src="data:image/svg+xml;base64,{data}"></figure>'
    )


def _facts(board: Table) -> Iterator[str]:
    key = board.key
    yield (
        f"Dataset copy {key.dataset}, fingerprint {key.fingerprint[:12]}, split {key.split}; "
        f"classes: {', '.join(key.classes)}"
    )
    yield f"Budget {budget_text(key.budget)}; validation labels: {key.val}"
    names = ", ".join(f"{family}: {name}" for family, name in board.checkpoints)
    yield f"Backbone {weights_text(key)}" + (f" ({names})" if names else "")
    yield f"Test patients: {sample_text(len(board.patients))}"
    yield f"Protocol version {key.protocol}; {len(board.units)} records"
    yield from (f"Machine {machine_text(machine)}" for machine in board.machines)


def _rows(board: Table) -> list[Row]:
    return [row for block in BLOCKS for row in board.block(block)]


def _heads(row: Row) -> list[Cell]:
    return [cell(row.label, heading=True), cell(row.variant.block)]


def _scores(found: TableStatistics, score: str) -> str:
    board = found.table
    rows = []
    for row in _rows(board):
        cells = _heads(row)
        for column in board.columns:
            place = found.columns[column].standings.get(row.label)
            letters = place.letters if place is not None and score == "dice" else ""
            cells.append(_score(row.cells[column], score, letters))
        rows.append(cells)
    name = {"dice": "Dice, %", "iou": "IoU, %", "epochs": "Epochs to convergence"}[score]
    return table(name, ["method", "block", *(f"{c.label} shot" for c in board.columns)], rows)


def _score(one: BoardCell, score: str, letters: str) -> Cell:
    if not one.complete:
        return Cell(text(missing_text(one)))
    if score == "epochs":
        return Cell(text(epochs_text(one)), one.epochs.value if one.epochs else None)
    interval = getattr(one, score)
    if interval is None:
        return Cell("— (nothing to score)")
    mean, reach = interval_text(interval).split(" ", 1)
    marks = f" <sup>{text(letters)}</sup>" if letters else ""
    return Cell(
        f'<strong>{text(mean)}</strong>{marks} <span class="ci">{text(reach)}</span>',
        interval.mean,
    )


def _costs(board: Table) -> str:
    header = [
        *("method", "block", "shots", "machine", "units", "pre-training s", "adaptation s"),
        *("prediction s", "training samples/s", "slices/s", "volumes/min", "host memory"),
        *("device memory", "trainable parameters", "all parameters"),
    ]
    rows = []
    for row in _rows(board):
        for column in board.columns:
            for cost in row.cells[column].costs:
                medians = cost.medians
                rows.append(
                    [
                        *(*_heads(row), cell(column.label), cell(cost.machine.fingerprint[:8])),
                        cell(len(cost.units)),
                        *(Cell(seconds_text(medians[n]), medians[n]) for n in SECONDS),
                        *(
                            Cell(bytes_text(medians[n]), medians[n])
                            for n in ("peak_host_bytes", "peak_device_bytes")
                        ),
                        *(
                            Cell(count_text(medians[n]), medians[n])
                            for n in ("trainable_parameters", "total_parameters")
                        ),
                    ]
                )
    return table("Medians over units, each machine apart", header, rows)


def _pairs(found: TableStatistics) -> str:
    header = [
        *("shots", "first", "second", "family", "effect, points", "interval", "p (Holm)"),
        *("p of draws (Holm)", "differ"),
    ]
    rows = []
    for pair in found.pairs:
        c = pair.comparison
        reach = (
            "" if c.low is None or c.high is None else f"{100 * c.low:.1f} to {100 * c.high:.1f}"
        )
        rows.append(
            [
                *(cell(pair.column.label), cell(pair.first.label, heading=True)),
                *(cell(pair.second.label), cell(pair.family)),
                Cell(f"{100 * c.effect:+.1f}", c.effect),
                Cell(text(reach), c.low),
                *(Cell(f"{p:.2g}", p) for p in (pair.p_holm, pair.p_draws_holm)),
                cell("yes" if pair.differ else "no"),
            ]
        )
    return table("First less second, paired by patient", header, rows)


def _commands(board: Table) -> str:
    rows = []
    for row in _rows(board):
        for column in board.columns:
            tried = [unit for unit in board.units if unit.variant == row.variant]
            here = [u for u in tried if u.shots == column.shots and column.draw in ("", u.draw)]
            if here:
                command = command_of(column, row.cells[column], here[0])
                keys = ", ".join(unit.key for unit in here)
                rows.append(
                    [
                        *(cell(row.label, heading=True), cell(column.label)),
                        *(Cell(f"<code>{text(command)}</code>", command), cell(keys)),
                    ]
                )
    return table("Commands and records", ["method", "shots", "command", "records"], rows)
