"""nnU-Net as a method: what it learns from, what it reports, what it gives back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.contract import Volume
from bench.protocol import UNLABELLED
from bench.unit.clock import BudgetClock
from bench.worker.clock import MethodClock
from methods.nnunet.choice import choice_of
from methods.nnunet.method import NnUNet
from methods.nnunet.raw import NAME
from tests.driving import driven
from tests.methods.nnunet_tiny import adapted, blind, boxes, nnunet, pulled, support, task
from tests.methods.tiny import dice, options

QUERY = boxes("q", seed=9)


def weights(method: NnUNet) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in method.parameters()])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> NnUNet:
    torch.manual_seed(0)
    return adapted(support(3), tmp_path_factory.mktemp("scratch"), steps=40)


def test_it_learns_boxes_in_forty_steps(trained: NnUNet) -> None:
    """In a volume that it has not seen."""
    prediction = trained.predict(blind(QUERY))
    assert QUERY.label is not None
    assert dice(prediction, QUERY.label, 1) > 0.9
    assert dice(prediction, QUERY.label, 2) > 0.9


def test_a_volume_comes_back_on_its_own_grid_whatever_the_order_of_its_axes(
    tmp_path: Path,
) -> None:
    """nnU-Net turns the axis of the largest spacing to the front; here that is the last one."""

    def turned(given: Volume) -> Volume:
        assert given.label is not None
        z, y, x = given.spacing
        return replace(
            given,
            image=np.ascontiguousarray(given.image.transpose(1, 2, 0)),
            label=np.ascontiguousarray(given.label.transpose(1, 2, 0)),
            spacing=(y, x, z),
            labelled_slices=tuple(range(given.image.shape[1])),
        )

    torch.manual_seed(0)
    method = adapted([turned(given) for given in support(3)], tmp_path, steps=40)
    assert method.model is not None
    assert method.model.manager.transpose_forward == [2, 0, 1]
    query = turned(QUERY)
    assert query.label is not None
    prediction = method.predict(blind(query))
    assert prediction.flags.c_contiguous
    assert dice(prediction, query.label, 1) > 0.9
    assert dice(prediction, query.label, 2) > 0.9


@pytest.mark.parametrize("configuration", ["2d", "3d_fullres"])
@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((1, 33, 47), (3.0, 1.0, 1.0)),
        ((1, 32, 40), (0.2, 1.0, 1.0)),
        ((3, 40, 20), (12.0, 1.0, 2.5)),
        ((9, 70, 64), (3.0, 1.0, 1.0)),
    ],
)
def test_it_predicts_on_any_grid(
    networks: dict[str, NnUNet], configuration: str, shape: tuple[int, ...], spacing: Any
) -> None:
    image = np.random.default_rng(0).uniform(size=shape).astype(np.float16)
    prediction = networks[configuration].predict(Volume("c", "p", image, spacing))
    assert (prediction.shape, prediction.dtype) == (shape, np.uint8)
    assert prediction.max() <= 2


@pytest.fixture(scope="module")
def networks(trained: NnUNet, tmp_path_factory: pytest.TempPathFactory) -> dict[str, NnUNet]:
    other = adapted(
        support(2), tmp_path_factory.mktemp("scratch"), steps=1, configuration="3d_fullres"
    )
    return {"2d": trained, "3d_fullres": other}


def test_an_image_of_nothing_is_predicted(trained: NnUNet) -> None:
    """Its crop to what is not zero finds nothing to keep."""
    empty = Volume("c", "p", np.zeros((2, 32, 32), np.float32), (3.0, 1.0, 1.0))
    assert trained.predict(empty).shape == (2, 32, 32)


def test_one_shot_trains_on_it(tmp_path: Path) -> None:
    reports = list(pulled(nnunet(), support(1), tmp_path, steps=2))
    # raw dataset, plans, one case; then a report a step
    assert [r.steps for r in reports] == [0, 0, 0, 1, 1]
    assert [r.epoch for r in reports] == [False, False, False, True, True]
    assert all(r.samples == 2 and r.loss is not None for r in reports[3:])


def test_a_class_that_the_support_never_shows(tmp_path: Path) -> None:
    given = [
        replace(v, label=np.where(v.label == 2, 0, v.label).astype(np.uint8)) for v in support(2)
    ]
    method = adapted(given, tmp_path, steps=2)
    assert method.predict(blind(QUERY)).max() <= 2


def test_without_any_structure_it_says_why(tmp_path: Path) -> None:
    given = replace(boxes(), label=np.zeros((6, 32, 40), np.uint8))
    with pytest.raises(ValueError, match="no labelled voxel of any structure in the support"):
        adapted([given], tmp_path)


def test_what_is_not_labelled_teaches_nothing(tmp_path: Path) -> None:
    """Taken for background, five slices of six would teach that there are no boxes."""
    full = boxes()
    assert full.label is not None
    label = np.full_like(full.label, UNLABELLED)
    label[2] = full.label[2]
    partial = replace(full, label=label, labelled_slices=(2,))
    torch.manual_seed(0)
    np.random.seed(0)
    method = adapted([partial], tmp_path, steps=40)
    prediction = method.predict(blind(QUERY))
    assert QUERY.label is not None
    assert dice(prediction, QUERY.label, 1) > 0.8
    assert dice(prediction, QUERY.label, 2) > 0.8
    assert method.model is not None
    assert method.model.dataset["labels"]["ignore"] == 3


def test_single_slices_have_no_third_dimension_to_plan(tmp_path: Path) -> None:
    given = [boxes("a", shape=(1, 32, 40)), boxes("b", seed=1, shape=(1, 32, 40))]
    adapted(given, tmp_path / "2d", steps=1)
    with pytest.raises(ValueError, match="configuration=3d_fullres: nnunetv2 plans only 2d for"):
        adapted(given, tmp_path / "3d", configuration="3d_fullres")


@pytest.mark.parametrize("configuration", ["2d", "3d_fullres"])
def test_resenc_m_is_its_own_planner_and_network(tmp_path: Path, configuration: str) -> None:
    method = adapted(support(2), tmp_path, steps=1, plans="resenc_m", configuration=configuration)
    assert method.model is not None
    assert method.model.plans["experiment_planner_used"] == "nnUNetPlannerResEncM"
    assert type(method.model.network).__name__ == "ResidualEncoderUNet"
    assert method.predict(blind(QUERY)).shape == QUERY.image.shape


def test_it_comes_back_from_its_state(trained: NnUNet) -> None:
    state = dict(trained.state_dict())
    assert sum(v.numel() for v in state.values() if isinstance(v, torch.Tensor)) == len(
        weights(trained)
    )
    other = nnunet(configuration="3d_fullres")  # what it is, is in the state
    other.load_state_dict(state)
    assert np.array_equal(other.predict(blind(QUERY)), trained.predict(blind(QUERY)))
    files = json.dumps(json.loads(state["plans"].tobytes()))
    assert "case_000" not in files


def test_before_it_is_prepared_it_predicts_background(tmp_path: Path) -> None:
    """A budget that ends in the preparation leaves a method without a network."""
    method = nnunet()
    next(pulled(method, support(1), tmp_path, steps=1))
    assert list(method.parameters()) == []
    other = nnunet()
    other.load_state_dict(method.state_dict())
    for each in (method, other):
        assert np.array_equal(each.predict(blind(QUERY)), np.zeros(QUERY.image.shape, np.uint8))


def test_a_seed_fixes_it_and_looking_changes_nothing(tmp_path: Path) -> None:
    def run(name: str, *, seed: int = 0, look: bool = False) -> torch.Tensor:
        method = nnunet()

        def probe(*_: object) -> None:
            method.predict(blind(QUERY))

        (tmp_path / name).mkdir()
        driven(
            method,
            task(support(2), tmp_path / name),
            clock=BudgetClock(seconds_limit=None, steps_limit=4),
            seed=seed,
            probe=probe if look else None,
            probes=4 if look else 0,
        )
        return weights(method)

    first = run("first")
    assert torch.equal(run("again"), first)
    assert torch.equal(run("looked at", look=True), first)
    assert not torch.equal(run("other", seed=1), first)


def test_without_a_budget_its_recipe_ends(tmp_path: Path) -> None:
    method = nnunet(epochs=2, iterations=3, memory_gb=0.1, statistics=1000)
    steps = [r for r in pulled(method, support(1), tmp_path, steps=None) if r.steps]
    assert [r.epoch for r in steps] == [False, False, True] * 2


def test_the_rate_falls_to_the_end_of_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its own formula: 0.01 (1 - epoch / epochs) ** 0.9."""
    rates: list[float] = []

    def step(self: torch.optim.SGD, *_: Any) -> None:
        rates.append(self.param_groups[0]["lr"])

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    adapted(support(1), tmp_path, steps=5)
    assert rates == pytest.approx([0.01 * (1 - epoch / 5) ** 0.9 for epoch in range(5)])


def test_a_loss_that_is_no_number_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = pulled(method := nnunet(), support(1), tmp_path, steps=5)
    for progress in work:
        if progress.steps:
            break
    with torch.no_grad():
        next(iter(method.parameters())).fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="the loss is nan at step 2"):
        next(work)


def test_a_broken_step_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("first\nsecond")

    monkeypatch.setattr("methods.nnunet.trainer.Trainer.train_step", broken)
    with pytest.raises(RuntimeError, match=r"^nnunetv2's training step: RuntimeError: first$"):
        adapted(support(1), tmp_path)


def test_a_batch_is_never_larger_than_the_plan_says(tmp_path: Path) -> None:
    """ResEnc M plans all six slices; for the other planner two are its smallest."""
    for plans, batch, found in [("resenc_m", 5, 5), ("resenc_m", 99, 6), ("default", 5, 2)]:
        method = adapted(
            support(1), tmp_path / f"{plans}{batch}", steps=1, plans=plans, batch=batch
        )
        assert method.model is not None
        assert method.model.config.batch_size == found


def test_it_plans_on_the_support_alone(tmp_path: Path) -> None:
    """What the pool shows is not in the raw dataset."""
    method = nnunet()
    given = replace(task(support(2), tmp_path), unlabelled=tuple(map(blind, support(6))))
    next(method.adapt(given, MethodClock(seconds_limit=None, steps_limit=1)))
    assert len(list((tmp_path / "nnUNet_raw" / NAME / "imagesTr").iterdir())) == 2


def test_auto_is_its_own_plan_but_under_a_budget_on_a_cpu() -> None:
    given = options("nnunet")
    cpu, gpu = torch.device("cpu"), torch.device("cuda")

    def plan(device: torch.device, limited: bool) -> tuple[float, int | None, int, bool]:
        choice = choice_of(given, device=device, limited=limited)
        made = choice.plan
        return made.memory_gb, made.batch, made.statistics, choice.mirroring

    assert plan(cpu, False) == plan(gpu, False) == (8.0, None, 100_000_000, True)
    assert plan(gpu, True) == (8.0, None, 1_000_000, True)
    assert plan(cpu, True) == (0.1, 2, 1_000_000, False)
    assert choice_of(given, device=cpu, limited=True).workers == 0
