"""Claims against records: supported, contradicted, undecided, or not run.

Only records made with the kind of backbone that a claim is about decide it. What our own small
(nano) networks or a checkpoint that may know the test patients show is told beside the verdict and
never changes it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bench.board.cells import Cell
from bench.board.claimfile import Arm, Claim
from bench.board.claimtest import Effect, Outcome, epochs_ratio, score_effect
from bench.board.describe import place_text, weights_text
from bench.board.order import SHOTS
from bench.board.paired import ALPHA
from bench.board.tables import Column, Row, Table
from bench.board.text import plain
from bench.record.schema import NO_BACKBONE

Verdict = Literal["supported", "contradicted", "undecided", "not run"]


@dataclass(frozen=True, eq=False)
class Finding:
    """One comparison in one table.

    place    dataset, budget and track; `backbone` what the two rows' records were made with
    weights  published, nano or none
    barred   why it cannot decide the claim; None where it can
    """

    place: str
    backbone: str
    weights: str
    first: str
    second: str
    effect: Effect
    outcome: Outcome
    barred: str | None


@dataclass(frozen=True, eq=False)
class Judgement:
    """absent: why nothing could be compared, or what is missing of the comparisons that decide."""

    name: str
    claim: Claim
    verdict: Verdict
    findings: tuple[Finding, ...]
    absent: tuple[str, ...]

    def count(self, *, deciding: bool) -> Counter[Outcome]:
        return Counter(f.outcome for f in self.findings if (f.barred is None) == deciding)


@dataclass(frozen=True, eq=False)
class Found:
    """Two cells that a claim compares."""

    table: Table
    rows: tuple[Row, Row]
    columns: tuple[Column, Column]
    weights: str

    @property
    def cells(self) -> tuple[Cell, Cell]:
        return self.rows[0].cells[self.columns[0]], self.rows[1].cells[self.columns[1]]


def judge(
    claims: Mapping[str, Claim], tables: Sequence[Table], methods: Sequence[str]
) -> list[Judgement]:
    """`methods`: those that are installed."""
    return [_judge(name, claim, tables, methods) for name, claim in claims.items()]


def _judge(name: str, claim: Claim, tables: Sequence[Table], methods: Sequence[str]) -> Judgement:
    pairs = _distinct(pair for table in tables for pair in _pairs(claim, table))
    findings: list[Finding] = []
    for deciding in (True, False):
        chosen = [pair for pair in pairs if (_barred(claim, pair) is None) == deciding]
        # Together they are wrong one time in twenty, not each.
        alpha = ALPHA / max(len(chosen), 1)
        findings += [f for pair in chosen if (f := _finding(claim, pair, alpha)) is not None]
    judged = Judgement(name, claim, "not run", tuple(findings), ())
    verdict = _verdict(judged.count(deciding=True))
    missing: tuple[str, ...] = ()
    if verdict == "not run":
        there = any(finding.weights == claim.backbone for finding in findings)
        missing = (SEE_BELOW,) if there else tuple(_absent(claim, tables, methods))
    return replace(judged, verdict=verdict, absent=missing)


def _verdict(outcomes: Counter[Outcome]) -> Verdict:
    """One way or the other if most comparisons say so and none says the opposite."""
    total = outcomes.total()
    if not total:
        return "not run"
    if not outcomes["fails"] and 2 * outcomes["holds"] > total:
        return "supported"
    if not outcomes["holds"] and 2 * outcomes["fails"] > total:
        return "contradicted"
    return "undecided"


def _pairs(claim: Claim, table: Table) -> Iterator[Found]:
    for arm in claim.against:
        for first in _rows(claim.first, table):
            for second in _rows(arm, table):
                for columns in _columns(claim, table):
                    found = Found(table, (first, second), columns, "")
                    if all(cell.complete for cell in found.cells):
                        yield replace(found, weights=_weights(found))


def _rows(arm: Arm, table: Table) -> list[Row]:
    return [row for row in table.rows if _matches(arm, row)]


def _matches(arm: Arm, row: Row) -> bool:
    """The options that the arm names have its values, and no other was changed."""
    if row.variant.method != arm.method:
        return False
    options = json.loads(row.variant.options)
    changed = {override.partition("=")[0] for override in row.variant.overrides}
    if not _pool_matches(arm, row):
        return False
    asked = {name: options.get(name, _NOTHING) for name in arm.options}
    return asked == arm.options and changed <= {*arm.options, "pool"}


def _pool_matches(arm: Arm, row: Row) -> bool:
    """A pool of other datasets is one of the row's overrides, and no option: "pool=a+b"."""
    words = dict(override.split("=", 1) for override in row.variant.overrides)
    if isinstance(arm.pool, str):
        return arm.pool == "any" or ("pool" in words) == (arm.pool == "several")
    return set(arm.pool) == set(words.get("pool", "").split("+"))


_NOTHING = object()
SEE_BELOW = "what there is cannot decide, for the reasons below"


def _columns(claim: Claim, table: Table) -> Iterator[tuple[Column, Column]]:
    for column in table.columns:
        if claim.shots is not None and column.shots not in claim.shots:
            continue
        wanted = _times(column.shots, claim.labels)
        for other in table.columns:
            if other.shots == wanted and (other.draw == column.draw or claim.labels != 1):
                yield column, other


def _times(shots: str, factor: float) -> str | None:
    """ "5" times 10 is "50", "5%" is "50%"."""
    found = SHOTS.fullmatch(shots)
    if factor == 1 or not found:
        return shots if factor == 1 else None
    return f"{float(found[1]) * factor:g}{found[2]}"


def _weights(found: Found) -> str:
    """Of the rows themselves: a table shows records without a backbone as guests."""
    kinds = {unit.table.weights for cell in found.cells for unit in cell.units} - {NO_BACKBONE}
    return kinds.pop() if kinds else NO_BACKBONE


def _distinct(pairs: Iterator[Found]) -> list[Found]:
    """Two rows without a backbone stand in the tables of all of them: they count once."""
    found: dict[frozenset[str], Found] = {}
    for pair in pairs:
        first, second = ([unit.key for unit in cell.units] for cell in pair.cells)
        found.setdefault(frozenset((*first, "against", *second)), pair)
    return list(found.values())


def _barred(claim: Claim, pair: Found) -> str | None:
    if any(row.variant.block == "seen" for row in pair.rows):
        return "a checkpoint that may have seen the test patients cannot decide"
    if pair.weights == "nano":
        return "a nano backbone cannot decide"
    if pair.weights != claim.backbone:
        return f"the claim is about backbone {claim.backbone}"
    if not pair.columns[0].draw and min(len(cell.draws) for cell in pair.cells) < 2:
        return "one draw of labelled patients cannot decide"  # the interval knows of patients alone
    return None


def _finding(claim: Claim, pair: Found, alpha: float) -> Finding | None:
    if claim.measure == "epochs":
        effect = epochs_ratio(*pair.cells, alpha=alpha)
    else:
        effect = score_effect(*pair.cells, score=claim.measure, kind=claim.effect, alpha=alpha)
    if effect is None:
        return None
    alone = pair.weights == NO_BACKBONE
    first, second = (
        plain(f"{row.label}, {column.label} shot")
        for row, column in zip(pair.rows, pair.columns, strict=True)
    )
    return Finding(
        place=place_text(pair.table.key),
        backbone=NO_BACKBONE if alone else weights_text(pair.table.key),
        weights=pair.weights,
        first=first,
        second=second,
        effect=effect,
        outcome=effect.outcome(claim.above, claim.below),
        barred=_barred(claim, pair),
    )


def _absent(claim: Claim, tables: Sequence[Table], methods: Sequence[str]) -> Iterator[str]:
    """What stands in the way, the plainest reason first."""
    arms = [arm for _, arm in claim.arms]
    strange = sorted({arm.method for arm in arms} - set(methods))
    if strange:
        yield f"there is no method {', '.join(strange)} here"
    wanted = "without a backbone" if claim.backbone == NO_BACKBONE else "with a published backbone"
    labels = [arm.label for arm in arms if arm.method not in strange]
    kinds = (claim.backbone, NO_BACKBONE)
    without = [
        arm.label
        for arm in arms
        if arm.method in methods and not any(_done(arm, table, kinds) for table in tables)
    ]
    if without:
        yield f"no done record {wanted} of {', '.join(dict.fromkeys(without))}"
    elif labels and not strange:
        shots = f" at shots {', '.join(claim.shots)}" if claim.shots else ""
        times = f", the second with {claim.labels:g} times the labels" if claim.labels != 1 else ""
        yield f"no table {wanted} has complete cells of both{shots}{times}"


def _done(arm: Arm, table: Table, kinds: Sequence[str]) -> bool:
    return any(
        unit.table.weights in kinds
        for row in _rows(arm, table)
        for cell in row.cells.values()
        for unit in cell.units
    )
