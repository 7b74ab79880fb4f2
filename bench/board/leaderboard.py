"""The tables as one Markdown page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.board.cellmarkdown import (
    block_tables,
    cost_tables,
    empty_table,
    failed_lines,
    failed_table,
)
from bench.board.cellmarkdown import table as markdown_table
from bench.board.describe import budget_text, machine_text, sample_text, weights_text
from bench.board.doubts import doubt_texts
from bench.board.headlinemarkdown import FirstLines, first_lines, headline_table
from bench.board.interval import FEW_PATIENTS
from bench.board.recordpage import anchor
from bench.board.statistics import TableStatistics
from bench.board.tables import Table
from bench.board.text import markdown, plural
from bench.board.units import TableKey, Unit

WAITED = 0.05
"""The share of a unit's seconds without a core above which the page speaks of it."""

INTRODUCTION = """\
# Leaderboard

Ways of adapting a segmentation foundation model where few volumes are labelled, under one protocol:
the same patients, the same labelled volumes (draws) and the same budget for every method.

Generated from records of runs, and nothing else, by `python -m bench board` (`results=DIR` for
another folder of records). Do not edit it by hand.
"""

REPRODUCE = "how to reproduce it"

EMPTY = """\
There are no records yet. This makes some, and then this page again:

    python -m bench run method=all dataset=phantom shots=1,5
    python -m bench board
"""

READING = """\
How to read it:

- Dice and IoU are percent: the mean over draws of the mean over classes of the mean over patients.
- In brackets: a 95 % interval over patients and draws; over patients only where there is one draw.
- **Bold**: the best mean of a column, and every row whose interval reaches it. This is no test.
- "— (1 of 3 missing)": a mean stands only over all the draws that any row of the table has done.
- A row's name leads to its records and to the commands that make them again.
- Rows are in the order of the fullest column, the last of several. Controls, oracle-prompted
  methods and checkpoints that may have seen the test patients stand apart.
- A class that is empty in reference and prediction is left out of a mean, and counted.
- Epochs to convergence, of the adaptation: the median over draws; ">20" was not reached.
- "Worth a second look" names cells by rule, with their shots: below a control, better with fewer
  labels, the same scores twice. None of it says that a number is wrong.
- A method without a backbone stands in the tables of every backbone.
- Times, speeds and memory: medians, each machine apart.
"""


@dataclass(frozen=True)
class Section:
    """A table's part of the page.

    before, after  what stands before its figures, and after them
    first          its lines of the page's first table
    failed         key -> its line of the page's table of failures
    """

    id: str
    title: str
    protocol: int
    first: FirstLines
    before: str
    after: str
    failed: dict[str, list[str]]


def section_of(found: TableStatistics, page: str) -> Section:
    """`page`: path of the page of its records, as seen from the board's."""
    table = found.table
    doubts = [markdown(one) for one in doubt_texts(found)]
    facts = "\n".join(f"- {fact}" for fact in [*_facts(table), *doubts])
    links = {row.label: f"{page}#{anchor(row)}" for row in table.rows}
    after = [
        block_tables(table, "iou"),
        block_tables(table, "epochs"),
        cost_tables(table),
        empty_table(table),
    ]
    return Section(
        id=table.key.id,
        title=heading(table.key),
        protocol=table.key.protocol,
        first=first_lines(found),
        before=f"{facts}\n\n{block_tables(table, 'dice', links)}\n"
        f"Commands and records of every cell: [{REPRODUCE}]({page})\n",
        after="\n".join(part for part in after if part),
        failed=failed_lines(table),
    )


def leaderboard(
    sections: Sequence[Section], units: Sequence[Unit], figures: Mapping[str, Mapping[str, str]]
) -> str:
    """`units`: each once; `figures`: table id -> title -> path of the figure as seen from the
    page."""
    if not sections:
        return f"{INTRODUCTION}\n{EMPTY}"
    failed = sum(not unit.done for unit in units)
    versions = sorted({one.protocol for one in sections})
    named = ", ".join(str(version) for version in versions)
    noun = "version" if len(versions) == 1 else "versions"
    apart = "" if len(versions) == 1 else " (never in one table)"
    counts = (
        f"Protocol {noun} {named}{apart}. {plural(len(units), 'record')}: "
        f"{len(units) - failed} done, {failed} failed or incomplete.\n"
    )
    contents = "\n".join(
        f"{number}. [{one.title}](#t-{one.id})" for number, one in enumerate(sections, 1)
    )
    parts = [
        *(INTRODUCTION, headline_table([one.first for one in sections]), counts, READING),
        f"{contents}\n",
        *(
            _numbered(number, one, figures.get(one.id, {}))
            for number, one in enumerate(sections, 1)
        ),
        "## Failed units\n\n" + (failed_table([one.failed for one in sections]) or "None.\n"),
        _methods(units),
    ]
    return "\n".join(parts).rstrip("\n") + "\n"


def heading(key: TableKey) -> str:
    parts = [
        key.dataset,
        f"backbone {weights_text(key)}",
        f"budget {key.budget.name}",
        f"val={key.val}",
    ]
    return " · ".join(markdown(part) for part in parts)


def _numbered(number: int, section: Section, figures: Mapping[str, str]) -> str:
    images = "\n\n".join(f"![{markdown(name)}]({path})" for name, path in figures.items())
    head = f'<a id="t-{section.id}"></a>\n\n## {number}. {section.title}\n\n'
    middle = f"{images}\n\n" if images else ""
    return f"{head}{section.before}\n{middle}{section.after}"


def _facts(table: Table) -> list[str]:
    key = table.key
    checkpoints = ", ".join(f"{family}: {name}" for family, name in table.checkpoints)
    draws = "; ".join(
        f"{markdown(column.label)} → {markdown(', '.join(table.draws(column)))}"
        for column in table.columns
    )
    facts = [
        f"Dataset copy: {markdown(key.dataset)}, fingerprint {markdown(key.fingerprint[:12])}, "
        f"split {markdown(key.split)} ({markdown(key.split_sha256[:12])}), "
        f"classes: {markdown(', '.join(key.classes))}",
        f"Budget: {markdown(budget_text(key.budget))}; validation labels: {markdown(key.val)}",
        f"Backbone: {markdown(weights_text(key))}"
        + (f" ({markdown(checkpoints)})" if checkpoints else ""),
        f"Test patients: {len(table.patients)}; draws (shots → draws): {draws}",
        f"Protocol version {key.protocol}; {plural(len(table.units), 'record')}, "
        f"{len(table.failed)} of them failed or incomplete",
    ]
    if 0 < len(table.patients) < FEW_PATIENTS:
        facts.append(f"Few test patients: {sample_text(len(table.patients))}")
    for machine in table.machines:
        facts.append(f"Machine {markdown(machine_text(machine))}")
    if len(table.machines) > 1 and key.budget.seconds is not None:
        facts.append(
            "Several machines: under a budget of seconds the faster one trains longer, "
            "so part of a difference in Dice may be the machine's"
        )
    if busy := _busy(table):
        facts.append(busy)
    return facts


def _busy(table: Table) -> str | None:
    """Whether other work took part of what a budget of seconds should have bought. Units that were
    ready long before its end wanted no more."""
    if table.key.budget.seconds is None:
        return None
    least = table.key.budget.seconds / 2
    shares = [
        unit.cost.waited_seconds / unit.cost.total_seconds
        for unit in table.units
        if unit.cost.waited_seconds is not None and unit.cost.total_seconds > least
    ]
    late = sum(share > WAITED for share in shares)
    if not late:
        return None
    return (
        f"Busy machine: {late} of {plural(len(shares), 'unit')} that used more than half of the "
        f"budget waited for a core for more than {WAITED:.0%} of the time (at most "
        f"{max(shares):.0%}): their budget bought less"
    )


def _methods(units: Sequence[Unit]) -> str:
    """Names, titles and what each learnt from, once for the page."""
    seen = {
        (unit.variant.method, unit.title, unit.variant.block, unit.unlabelled) for unit in units
    }
    lines = [
        [markdown(name), markdown(title), block, "yes" if unlabelled else "no"]
        for name, title, block, unlabelled in sorted(seen)
    ]
    header = ["method", "title", "block", "uses unlabelled images"]
    return "## Methods\n\n" + markdown_table(header, lines)
