"""Claims against records, and that nano records never decide one about published backbones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.board.claimfile import parse_claims
from bench.board.claims import Judgement, judge
from bench.board.claimtext import claim_lines, effect_text
from bench.board.reading import read_units
from bench.board.tables import tables_of
from bench.record.schema import Record
from tests.board.factory import record, save
from tests.board.test_claimfile import CLAIM, FILE

PUBLISHED = {"backbone": "base", "checkpoints": {"sam": "vit_b"}}
NANO = {"backbone": "nano", "checkpoints": {"sam": "nano"}}
BETTER = {**CLAIM, "first": {"method": "alpha"}}


def runs(method: str, base: float, *, draws: int = 3, **kwargs: Any) -> list[Record]:
    level = np.linspace(0, 0.1, 8)
    return [
        record(
            [[round(float(base + x + 0.003 * d * len(method)), 4)] for x in level],
            method=method,
            draw=str(d),
            **kwargs,
        )
        for d in range(draws)
    ]


def judged(results: Path, claim: dict[str, Any], *records: Record, **kwargs: Any) -> Judgement:
    save(results, *records)
    claims = parse_claims(FILE, {"claims": {"one": claim}}, {})
    methods = kwargs.get("methods", ["alpha", "beta"])
    [found] = judge(claims, tables_of(read_units(results)), methods)
    return found


def text(found: Judgement) -> list[str]:
    return [line for line in claim_lines([found]) if line]


@pytest.mark.parametrize(
    ("alpha", "beta", "verdict"),
    [(0.7, 0.4, "supported"), (0.4, 0.7, "contradicted"), (0.5, 0.5, "undecided")],
)
def test_published_backbones_decide(
    tmp_path: Path, alpha: float, beta: float, verdict: str
) -> None:
    found = judged(
        tmp_path, BETTER, *runs("alpha", alpha, **PUBLISHED), *runs("beta", beta, **PUBLISHED)
    )
    assert found.verdict == verdict
    [finding] = found.findings
    assert (finding.backbone, finding.barred) == ("base", None)
    lines = text(found)
    assert lines[0].startswith(f"one: {verdict.upper()} (1 comparison: ")
    assert "[backbone base · toy · cpu-2min · protocol 1]" in lines[5]
    assert "3 draws, n = 8 (few)" in lines[5]


def test_nano_backbones_never_decide(tmp_path: Path) -> None:
    found = judged(tmp_path, BETTER, *runs("alpha", 0.7, **NANO), *runs("beta", 0.4, **NANO))
    assert found.verdict == "not run"
    lines = text(found)
    assert lines[0] == (
        "one: NOT RUN with a published backbone; "
        "seen where it cannot be decided: 1 comparison: holds in 1"
    )
    assert lines[5] == "  not run  no done record with a published backbone of alpha, beta"
    assert lines[6].endswith("the claim holds here, but a nano backbone cannot decide")
    assert "SUPPORTED" not in "\n".join(lines)


def test_published_names_with_nano_weights_do_not_decide(tmp_path: Path) -> None:
    """Whatever the backbone is called, its checkpoints count."""
    mixed = {"backbone": "base", "checkpoints": {"sam": "nano_untrained"}}
    found = judged(tmp_path, BETTER, *runs("alpha", 0.7, **mixed), *runs("beta", 0.4, **mixed))
    assert found.verdict == "not run"
    assert found.findings[0].backbone == "base with nano checkpoints"


def test_a_checkpoint_that_may_have_seen_the_patients_does_not_decide(tmp_path: Path) -> None:
    seen = runs("alpha", 0.7, block="seen", **PUBLISHED)
    found = judged(tmp_path, BETTER, *seen, *runs("beta", 0.4, **PUBLISHED))
    assert found.verdict == "not run"
    assert found.findings[0].barred is not None
    assert "seen the test patients" in found.findings[0].barred


def test_one_numbered_draw_does_not_decide_and_a_published_list_does(tmp_path: Path) -> None:
    arms = [("alpha", 0.7), ("beta", 0.4)]
    one = [r for method, base in arms for r in runs(method, base, draws=1, **PUBLISHED)]
    found = judged(tmp_path, BETTER, *one)
    assert found.verdict == "not run"
    assert found.findings[0].barred == "one draw of labelled patients cannot decide"
    assert found.absent == ("what there is cannot decide, for the reasons below",)
    level = [[0.1 + 0.01 * p] for p in range(8)]
    named = [
        record([[base + x[0]] for x in level], method=method, draw="list", **PUBLISHED)
        for method, base in arms
    ]
    assert judged(tmp_path / "x", BETTER, *named).verdict == "supported"


def test_nano_and_published_stand_side_by_side(tmp_path: Path) -> None:
    found = judged(
        tmp_path,
        BETTER,
        *runs("alpha", 0.7, **NANO),
        *runs("beta", 0.4, **NANO),
        *runs("alpha", 0.4, **PUBLISHED),
        *runs("beta", 0.7, **PUBLISHED),
    )
    assert found.verdict == "contradicted"
    assert text(found)[0] == (
        "one: CONTRADICTED (1 comparison: does not hold in 1); "
        "seen where it cannot be decided: 1 comparison: holds in 1"
    )


def test_a_baseline_without_a_backbone_takes_part_under_each(tmp_path: Path) -> None:
    found = judged(
        tmp_path,
        BETTER,
        *runs("alpha", 0.7, **PUBLISHED),
        *runs("alpha", 0.7, **NANO),
        *runs("beta", 0.4, backbone="none"),
    )
    assert found.verdict == "supported"
    assert [f.weights for f in found.findings] == ["published", "nano"]


def test_two_rows_without_a_backbone_count_once(tmp_path: Path) -> None:
    """They are guests in the tables of both backbones, and the nano one takes nothing from them."""
    alone = [*runs("alpha", 0.7, backbone="none"), *runs("beta", 0.4, backbone="none")]
    hosts = [record(method="gamma", **NANO), record(method="gamma", **PUBLISHED)]
    found = judged(tmp_path, {**BETTER, "backbone": "none"}, *alone, *hosts)
    assert found.verdict == "supported"
    [finding] = found.findings
    assert (finding.backbone, finding.weights) == ("none", "none")
    about_published = judged(tmp_path / "x", BETTER, *alone)
    assert about_published.verdict == "not run"
    assert about_published.findings[0].barred == "the claim is about backbone published"


def test_records_that_disagree_leave_it_undecided(tmp_path: Path) -> None:
    found = judged(
        tmp_path,
        BETTER,
        *runs("alpha", 0.7, **PUBLISHED),
        *runs("beta", 0.4, **PUBLISHED),
        *runs("alpha", 0.4, shots="5", **PUBLISHED),
        *runs("beta", 0.7, shots="5", **PUBLISHED),
    )
    assert found.verdict == "undecided"
    assert "2 comparisons: holds in 1, does not hold in 1" in text(found)[0]


def test_one_of_many_is_not_enough(tmp_path: Path) -> None:
    equal = [
        r
        for shots in ("5", "10")
        for method in ("alpha", "beta")
        for r in runs(method, 0.5, shots=shots, **PUBLISHED)
    ]
    clear = [*runs("alpha", 0.7, **PUBLISHED), *runs("beta", 0.4, **PUBLISHED)]
    found = judged(tmp_path, BETTER, *equal, *clear)
    assert found.verdict == "undecided"
    one = judged(tmp_path / "x", BETTER, *clear)
    wide = found.findings[0].effect
    narrow = one.findings[0].effect
    assert wide.low is not None
    assert narrow.low is not None
    assert wide.low < narrow.low  # three comparisons together hold 95 %


def test_rows_are_found_by_their_options(tmp_path: Path) -> None:
    claim = {**BETTER, "first": {"method": "alpha", "options": {"base": "x"}}}
    rows = [
        *runs("alpha", 0.7, options={"base": "x"}, **PUBLISHED),
        *runs("alpha", 0.1, overrides={"base": "y"}, options={"base": "y"}, **PUBLISHED),
        *runs("alpha", 0.1, overrides={"lr": 9}, options={"base": "x"}, **PUBLISHED),
        *runs("beta", 0.4, **PUBLISHED),
    ]
    found = judged(tmp_path, claim, *rows)
    assert found.verdict == "supported"
    assert len(found.findings) == 1


@pytest.mark.parametrize(
    ("pool", "rows"),
    [
        ("own", ["alpha"]),
        ("several", ["alpha pool=a+b"]),
        ("any", None),
        (["b", "a"], ["alpha pool=a+b"]),
        (["a", "c"], []),
    ],
)
def test_rows_are_found_by_their_pool(
    tmp_path: Path, pool: str | list[str], rows: list[str] | None
) -> None:
    """A pool of several datasets is a row of its own, named by an override that is no option."""
    shared = record(overrides={"pool": "a+b"}, **PUBLISHED).model_dump()
    shared["request"]["options"].pop("pool")
    found = judged(
        tmp_path,
        {**BETTER, "first": {"method": "alpha", "pool": pool}},
        record(**PUBLISHED),
        Record.model_validate(shared),
        record(method="beta", **PUBLISHED),
    )
    names = sorted(f.first.removesuffix(", 1 shot") for f in found.findings)
    assert names == (["alpha", "alpha pool=a+b"] if rows is None else rows)


def test_times_the_labels_and_shots(tmp_path: Path) -> None:
    claim = {**BETTER, "labels": 10, "above": -0.05, "shots": ["1"]}
    found = judged(
        tmp_path,
        claim,
        *runs("alpha", 0.5, **PUBLISHED),
        *runs("alpha", 0.2, shots="10", **PUBLISHED),
        *runs("beta", 0.52, shots="10", **PUBLISHED),
        *runs("beta", 0.8, **PUBLISHED),
    )
    [finding] = found.findings
    assert (finding.first, finding.second) == ("alpha, 1 shot", "beta, 10 shot")
    assert finding.effect.value == pytest.approx(-0.02 + 0.003, abs=0.004)
    assert found.verdict == "supported"


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    nothing = judged(tmp_path, BETTER, methods=["beta"])
    assert nothing.absent == (
        "there is no method alpha here",
        "no done record with a published backbone of beta",
    )
    elsewhere = judged(
        tmp_path / "x",
        {**BETTER, "shots": ["5"]},
        *runs("alpha", 0.7, **PUBLISHED),
        *runs("beta", 0.4, **PUBLISHED),
    )
    assert elsewhere.absent == (
        "no table with a published backbone has complete cells of both at shots 5",
    )


def test_epochs_are_judged_as_ratios(tmp_path: Path) -> None:
    claim = {
        **{k: v for k, v in BETTER.items() if k != "above"},
        "measure": "epochs",
        "effect": "ratio",
        "below": 0.5,
    }
    found = judged(
        tmp_path,
        claim,
        *runs("alpha", 0.5, converged=2.0, **PUBLISHED),
        *runs("beta", 0.5, censored=20.0, **PUBLISHED),
    )
    assert found.verdict == "supported"
    [finding] = found.findings
    assert effect_text(found.claim, finding.effect) == "? times [0.00, 0.10]"
    assert "ratio of epochs to converge below 0.5" in text(found)[3]


def test_the_order_of_records_does_not_matter(tmp_path: Path) -> None:
    records = [*runs("alpha", 0.7, **PUBLISHED), *runs("beta", 0.4, **PUBLISHED)]
    assert text(judged(tmp_path, BETTER, *records)) == text(
        judged(tmp_path / "x", BETTER, *records[::-1])
    )
