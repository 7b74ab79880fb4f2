"""The conformance suite is red for methods that cheat, each by the check that is meant for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.check.lab import Lab
from bench.check.suite import CHECKS, Suite, verdicts
from bench.contract import Volume
from bench.data.ready import make_ready
from bench.registry import discover

DATA = {"root": None, "partial": False, "skip_bad": False}
BACKBONE = {"name": "nano", "sam": "nano", "sam2": "nano", "dino": "nano"}
MakeSuite = Callable[..., Suite]


def small(volume: Volume) -> Volume:
    """A few slices of it: the checks are about the method, not about the data."""
    assert volume.label is not None
    middle = volume.image.shape[0] // 2
    cut = (slice(middle - 3, middle + 3), slice(None, None, 2), slice(None, None, 2))
    return replace(
        volume,
        image=volume.image[cut].copy(),
        label=volume.label[cut].copy(),
        labelled_slices=tuple(range(6)),
    )


@pytest.fixture(autouse=True)
def _tidy(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the toys leaves this behind."""
    monkeypatch.delenv("SAMBENCH_TRACE", raising=False)


@pytest.fixture
def make_suite(cache: Path, toys: Path, tmp_path: Path) -> MakeSuite:
    registry = discover([toys])
    copy = make_ready(registry, "phantom", {}, {**DATA, "cache": str(cache)})
    volumes = [
        small(copy.store.volume(case.case, with_label=True))
        for case in copy.store.manifest.cases
        if len(case.classes) == 2
    ][:5]

    def make(method: str, **options: object) -> Suite:
        lab = Lab(
            registry=registry,
            method=method,
            options=options,
            backbone=BACKBONE,
            folder=tmp_path,
            volumes=tuple(volumes),
            classes=copy.classes,
            modality=copy.modality,
            device="cpu",
        )
        return Suite(lab)

    return make


def red(suite: Suite) -> dict[str, str]:
    return {v.name: v.reason for v in verdicts(suite) if v.outcome == "fail"}


def name_of(check: Callable[[Suite], object]) -> str:
    return " ".join(str(check.__doc__).split())


def test_peeking_is_found(
    make_suite: MakeSuite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the process of the method is not confined, the check finds it."""
    monkeypatch.setenv("SAMBENCH_PEEK", str(tmp_path))
    found = red(make_suite("peeks"))
    assert "depends on labels of the test set" in found[name_of(Suite.labels)]


def test_overrunning_is_found(make_suite: MakeSuite) -> None:
    found = red(make_suite("overruns"))
    assert "1000 steps under a budget of 12" in found[name_of(Suite.steps)]
    assert "s over a budget of 4 s: yield more often" in found[name_of(Suite.seconds)]


def test_a_foreign_grid_is_found(make_suite: MakeSuite) -> None:
    found = red(make_suite("misshapes"))
    assert set(found) == {name_of(Suite.single), name_of(Suite.anisotropic)}
    assert "the volume's own grid is (1, " in found[name_of(Suite.single)]


def test_a_state_that_forgets_and_a_trace_are_found(make_suite: MakeSuite) -> None:
    found = red(make_suite("forgets"))
    assert "differ after a reload" in found[name_of(Suite.reload)]
    assert found[name_of(Suite.traces)] == "an environment variable: not as before"


def test_wandering_is_found(make_suite: MakeSuite) -> None:
    found = red(make_suite("wanders"))
    assert "a second run predicts otherwise" in found[name_of(Suite.repeatable)]
    assert name_of(Suite.probe) in found


def test_what_a_method_raises_is_the_reason(make_suite: MakeSuite) -> None:
    found = red(make_suite("fails"))
    assert len(found) == len(CHECKS), "nothing can pass when nothing runs"
    assert set(found.values()) == {"ValueError: this one has two lines"}


def test_pretraining_passes(make_suite: MakeSuite) -> None:
    assert red(make_suite("pretrains")) == {}


@pytest.mark.parametrize(
    ("keeps", "outcome", "reason"),
    [
        ("all", "pass", ""),
        ("network", "fail", "stopped and started again, it predicts otherwise"),
        ("nothing", "not asked", "it never calls clock.resume"),
    ],
)
def test_what_is_forgotten_when_stopped_is_found(
    make_suite: MakeSuite, keeps: str, outcome: str, reason: str
) -> None:
    suite = make_suite("resumes", keeps=keeps)
    found = {verdict.name: verdict for verdict in verdicts(suite)}[name_of(Suite.goes_on)]
    assert found.outcome == outcome
    assert reason in found.reason
