"""Whole units on small drawn volumes: what ends up in the record, and what a method gets to see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.check.lab import Lab, Result, steps_budget
from bench.record.schema import BudgetSpec
from bench.score import score_case
from bench.unit.predicting import PredictionError
from bench.unit.spec import Unit

from .conftest import MakeLab, drawn

CASES = [f"case{number}" for number in range(5)]


def unit_of(lab: Lab, *, budget: BudgetSpec, val: str = "none", **more: object) -> Unit:
    unit = lab.unit(
        lab.store("all", lab.volumes),
        support=CASES[:2],
        probe=CASES[2:3],
        test=CASES[3:],
        budget=budget,
        **more,  # type: ignore[arg-type]
    )
    return unit.model_copy(update={"request": unit.request.model_copy(update={"val": val})})


def run(lab: Lab, *, probes: int = 6, val: str = "none", steps: int = 6, **more: object) -> Result:
    return lab.run(unit_of(lab, budget=steps_budget(steps, probes=probes), val=val, **more))


def test_the_record_says_what_happened(make_lab: MakeLab) -> None:
    result = run(make_lab("learns"))
    record = result.record
    assert record.status == "done"
    phase = record.adaptation
    assert (phase.steps, phase.samples, phase.epochs, phase.ended) == (6, 12, 6, "budget")
    assert [point.steps for point in record.curve] == [1, 2, 3, 4, 5, 6]
    assert record.curve[1].loss == pytest.approx(1 / 2)
    best = max(record.curve, key=lambda point: point.dice or 0)
    assert best.steps == 3
    assert record.throughput is not None
    assert record.throughput.slices_per_second is not None
    assert record.throughput.slices_per_second.n == 2
    harness = record.harness
    assert harness is not None
    parts = harness.method_seconds + harness.scoring_seconds + harness.overhead_seconds
    assert parts == pytest.approx(harness.wall_seconds, abs=1e-6)


def test_scores_are_those_of_the_kept_predictions(make_lab: MakeLab) -> None:
    lab = make_lab("learns")
    result = run(lab)
    for case in result.record.cases:
        volume = drawn(int(case.case[-1]))
        assert volume.label is not None
        expected = score_case(
            result.predictions[case.case], volume.label, volume.spacing, lab.classes
        )
        for name, score in expected.items():
            assert case.classes[name].model_dump() == {
                key: getattr(score, key) for key in case.classes[name].model_dump()
            }


def test_the_probe_selects_under_val_oracle_alone(make_lab: MakeLab) -> None:
    lab = make_lab("learns")
    last = run(lab, val="none")
    chosen = run(lab, val="oracle", run="oracle")
    assert int(last.state["step"][0]) == 6
    assert int(chosen.state["step"][0]) == 3
    assert _dice(chosen) > _dice(last)


def _dice(result: Result) -> float:
    return float(np.mean([case.classes["block"].dice or 0 for case in result.record.cases]))


def test_unlabelled_slices_are_hidden(make_lab: MakeLab) -> None:
    """The toy asserts that what the shot does not label is 255, and that nothing is writeable."""
    result = run(make_lab("learns"), slices={"case0": [2, 3]})
    assert result.record.status == "done"


def test_without_probes_there_is_no_curve(make_lab: MakeLab) -> None:
    record = run(make_lab("learns"), probes=0).record
    assert record.curve == []


def test_pretraining_is_shared_and_charged(make_lab: MakeLab) -> None:
    lab = make_lab("pretrains")
    first = run(lab, steps=10)
    again = lab.unit(
        lab.store("all", lab.volumes),
        support=CASES[:1],
        test=CASES[3:],
        budget=steps_budget(10),
        run="other",
    )
    assert first.unit.pretrain is not None
    second = lab.run(again.model_copy(update={"pretrain": first.unit.pretrain}))
    for result, reused in ((first, False), (second, True)):
        cost = result.record.pretraining
        assert cost is not None
        assert (cost.steps, cost.samples, cost.reused) == (5, 10, reused)
        # Five of ten steps were pre-training's, so five are left; each adds 100 to its count of 5.
        assert result.record.adaptation.steps == 5
        assert float(result.state["total"][0]) == 505
    (stored,) = (lab.folder / "results" / "pretrained").glob("*.safetensors")
    assert stored.stem == first.unit.pretrain.key


def test_an_option_that_leaves_pretraining_out_gets_the_whole_budget(make_lab: MakeLab) -> None:
    result = run(make_lab("pretrains", width=0), steps=10)
    assert (result.unit.pretrain, result.record.pretraining) == (None, None)
    assert result.record.adaptation.steps == 10
    assert float(result.state["total"][0]) == 1000


def test_a_budget_of_seconds_stops_between_two_yields(make_lab: MakeLab) -> None:
    lab = make_lab("slow", step=0.1, steps=1000)
    budget = BudgetSpec(name="1 s", seconds=1.0, probes=0)
    phase = lab.run(unit_of(lab, budget=budget)).record.adaptation
    assert phase.ended == "budget"
    assert 1.0 <= phase.seconds < 1.5
    assert phase.overshoot_seconds == pytest.approx(phase.seconds - 1.0)
    assert 5 <= phase.steps <= 11


def test_a_recipe_ends_by_itself(make_lab: MakeLab) -> None:
    lab = make_lab("learns")
    phase = lab.run(unit_of(lab, budget=BudgetSpec(name="paper", probes=3))).record.adaptation
    assert (phase.steps, phase.ended) == (6, "method")


def test_a_wrong_grid_is_the_units_reason(make_lab: MakeLab) -> None:
    lab = make_lab("misshapes")
    store = lab.store("odd", [*lab.volumes[:2], _thin(drawn(4))])
    unit = lab.unit(store, support=CASES[:2], test=["case4"], budget=steps_budget())
    with pytest.raises(PredictionError, match=r"predict\(case4\) has shape \(3, .*grid is \(1, "):
        lab.run(unit)


def _thin(volume):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    return replace(volume, image=volume.image[2:3], label=volume.label[2:3], labelled_slices=(0,))


def test_nothing_is_left_behind(make_lab: MakeLab, tmp_path: Path) -> None:
    """Kept files are where the record says; no scratch, no half-written file."""
    result = run(make_lab("learns"))
    results = tmp_path / "results"
    kept = {str(path.relative_to(results)) for path in results.rglob("*") if path.is_file()}
    files = result.record.files
    assert kept == {f"{files.predictions}/{case}.npz" for case in CASES[3:]} | {files.state}
