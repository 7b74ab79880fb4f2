"""Judged claims in words that cannot be taken for more than the records say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from bench.board.claimfile import Claim
from bench.board.claims import Finding, Judgement
from bench.board.claimtest import Effect, Outcome
from bench.board.interval import FEW_PATIENTS
from bench.board.text import plain, plural

WORDS = {"holds": "the claim holds", "fails": "the claim does not hold", "open": "open"}

READING = """\
supported, contradicted: most comparisons that can decide say so and none says the opposite;
undecided: neither; not run: no record with the kind of backbone that the claim is about.
Brackets hold 95 % for all comparisons of one claim together (those that cannot decide, apart).
Our own nano backbones never decide a claim about published ones."""


def claim_lines(judgements: Sequence[Judgement]) -> Iterator[str]:
    for judgement in judgements:
        yield from _one(judgement)
        yield ""
    yield READING


def _one(judged: Judgement) -> Iterator[str]:
    claim = judged.claim
    yield f"{plain(judged.name)}: {verdict_text(judged)}"
    yield f"  claim    {plain(claim.says)}"
    yield f"  source   {plain(claim.source)}"
    yield f"  tested   {test_of(claim)}"
    yield f"  reading  {plain(claim.reading)}"
    for reason in judged.absent:
        yield f"  not run  {plain(reason)}"
    for finding in judged.findings:
        yield f"  {finding_text(claim, finding)}"


def verdict_text(judged: Judgement) -> str:
    """ "supported (holds in 2, open in 1)", and what was seen that cannot decide."""
    deciding, other = judged.count(deciding=True), judged.count(deciding=False)
    text = judged.verdict.upper()
    if deciding:
        text += f" ({_counts(deciding)})"
    if judged.verdict == "not run" and judged.claim.backbone == "published":
        text += " with a published backbone"
    if other:
        text += f"; seen where it cannot be decided: {_counts(other)}"
    return text


def _counts(outcomes: Counter[Outcome]) -> str:
    names: dict[Outcome, str] = {"holds": "holds", "fails": "does not hold", "open": "open"}
    total = plural(outcomes.total(), "comparison")
    parts = [f"{names[name]} in {outcomes[name]}" for name in names if outcomes[name]]
    return f"{total}: {', '.join(parts)}"


def test_of(claim: Claim) -> str:
    against = " and ".join(arm.label for arm in claim.against)
    what = {"dice": "Dice", "iou": "IoU", "epochs": "epochs to converge"}[claim.measure]
    bound = claim.above if claim.above is not None else claim.below
    assert bound is not None
    side = "above" if claim.above is not None else "below"
    size = f"{bound:g}" if claim.effect == "ratio" else f"{100 * bound:g} points"
    noun = "ratio" if claim.effect == "ratio" else "difference"
    shots = f", shots {', '.join(claim.shots)}" if claim.shots else ""
    labels = f" with {claim.labels:g} times the labels" if claim.labels != 1 else ""
    kind = "a published backbone" if claim.backbone == "published" else "no backbone"
    return plain(
        f"{claim.first.label} against {against}{labels}: {noun} of {what} {side} {size}"
        f"{shots}; decided by records with {kind}"
    )


def finding_text(claim: Claim, finding: Finding) -> str:
    where = f"backbone {finding.backbone} · {finding.place}"
    effect = finding.effect
    size = f"{plural(effect.draws, 'draw')}, n = {effect.patients}"
    few = " (few)" if effect.patients < FEW_PATIENTS else ""
    text = f"[{where}] {finding.first} against {finding.second}: {effect_text(claim, effect)}"
    said = WORDS[finding.outcome]
    if finding.barred:
        said = f"{said} here, but {finding.barred}"
    return plain(f"{text}, {size}{few}: {said}")


def effect_text(claim: Claim, effect: Effect) -> str:
    def shown(value: float | None) -> str:
        if value is None:
            return "?"
        if math.isinf(value):
            return "no limit"
        return f"{100 * value:+.1f}" if claim.effect == "difference" else f"{value:.2f}"

    interval = (
        f"[{shown(effect.low)}, {shown(effect.high)}]"
        if effect.low is not None
        else "[no interval]"
    )
    unit = " points" if claim.effect == "difference" else " times"
    return f"{shown(effect.value)}{unit} {interval}"
