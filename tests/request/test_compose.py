"""A request composed: what it resolves to, sweeps and all."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import RequestError
from bench.record.schema import BudgetSpec
from bench.registry import Registry, discover
from bench.request.compose import compose_data, compose_demand
from tests.request.conftest import Compose


def test_a_bare_request(registry: Registry) -> None:
    demand = compose_demand(["method=toy_method"], registry, gpu=False)
    (choice,) = demand.choices
    assert (choice.method, choice.dataset) == ("toy_method", "phantom")
    assert choice.options == {
        "lr": 0.1,
        "steps": 5,
        "flip": False,
        "name": "auto",
        "sizes": [8, 16],
        "mode": "slow",
    }
    assert choice.overrides == {}
    assert choice.budget == BudgetSpec(name="cpu-2min", seconds=120, probes=8)
    assert choice.backbone == {"name": "nano", "sam": "nano", "sam2": "nano", "dino": "nano"}
    assert (demand.shots, demand.draws, demand.seeds, demand.vals) == (
        ("1", "5"),
        None,
        (0,),
        ("none",),
    )
    assert demand.data == {
        "root": None,
        "cache": None,
        "partial": False,
        "skip_bad": False,
        "hash_ids": False,
    }
    assert demand.executor == {
        "name": "local",
        "jobs": "auto",
        "threads": "auto",
        "timeout": "auto",
        "share_gpu": False,
    }
    assert (demand.device, demand.results, demand.keep, demand.rerun) == (
        "auto",
        Path("results"),
        (),
        None,
    )


def test_a_gpu_has_other_defaults(compose: Compose) -> None:
    (choice,) = compose(gpu=True).choices
    assert (choice.budget.name, choice.budget.seconds) == ("1gpu-15min", 900)
    assert choice.budget.memory_gb == 24
    assert (choice.backbone["name"], choice.backbone["sam"]) == ("base", "vit_b")
    (chosen,) = compose("budget=cpu-30s", "backbone=nano", gpu=True).choices
    assert (chosen.budget.name, chosen.backbone["name"]) == ("cpu-30s", "nano")


def test_lists_of_units(compose: Compose) -> None:
    demand = compose("shots=1,5,01,10%,20s", "draw=range(3)", "seed=0,7", "val=none,oracle")
    assert demand.shots == ("1", "5", "10%", "20s")
    assert demand.draws == ("0", "1", "2")
    assert demand.seeds == (0, 7)
    assert demand.vals == ("none", "oracle")
    assert len(demand.choices) == 1


def test_brackets_are_lists_too(compose: Compose) -> None:
    demand = compose("shots=[1,5]", "draw=[0,2]", "seed=[3]", "method=[toy_method,plain_method]")
    assert (demand.shots, demand.draws, demand.seeds) == (("1", "5"), ("0", "2"), (3,))
    assert [choice.method for choice in demand.choices] == ["toy_method", "plain_method"]


def test_several_methods_budgets_and_backbones(compose: Compose) -> None:
    demand = compose(
        "method=choice(toy_method,plain_method)", "budget=cpu-30s,paper", "backbone=nano,large"
    )
    assert [(c.method, c.budget.name, c.backbone["name"]) for c in demand.choices] == [
        (method, budget, backbone)
        for method in ("toy_method", "plain_method")
        for budget in ("cpu-30s", "paper")
        for backbone in ("nano", "large")
    ]
    assert demand.choices[2].budget.seconds is None


def test_all_methods_and_all_datasets(registry: Registry) -> None:
    """Those that can be used, in order, each once; the broken one is not among them."""
    demand = compose_demand(["method=all,unet", "dataset=toy_data,all"], registry, gpu=False)
    methods, datasets = registry.available("method"), registry.available("dataset")
    assert "broken_method" not in methods
    assert {"unet", "toy_method"} <= set(methods)
    assert list(dict.fromkeys(c.method for c in demand.choices)) == methods
    assert list(dict.fromkeys(c.dataset for c in demand.choices)) == [
        "toy_data",
        *(name for name in datasets if name != "toy_data"),
    ]
    assert len(demand.choices) == len(methods) * len(datasets)


def test_overrides_of_options(compose: Compose) -> None:
    (choice,) = compose(
        "method.lr=1e-3",
        "method.steps=5",
        "method.flip=true",
        "method.name=128",
        "method.sizes=[4,8,16]",
        "method.mode=fast",
        "dataset.side=64",
        "dataset.root=../there",
    ).choices
    assert choice.options == {
        "lr": 0.001,
        "steps": 5,
        "flip": True,
        "name": "128",
        "sizes": [4, 8, 16],
        "mode": "fast",
    }
    assert choice.overrides == {
        "lr": 0.001,
        "flip": True,
        "name": "128",
        "sizes": [4, 8, 16],
        "mode": "fast",
    }  # steps=5 is what the card says: nothing was changed
    assert choice.dataset_options == {"side": 64, "root": "../there"}


def test_a_whole_number_may_stand_for_a_fraction(compose: Compose) -> None:
    (choice,) = compose("method.lr=1").choices
    assert choice.options["lr"] == 1.0
    assert isinstance(choice.options["lr"], float)


@pytest.mark.parametrize(
    ("method", "option", "choice"),
    [
        pytest.param(name, option, choice, id=f"{name}-{option}={choice}")
        for name, found in sorted(discover().methods.items())
        if found.card is not None
        for option, about in found.card.options.items()
        for choice in about.choices or ()
    ],
)
def test_every_choice_of_every_card_can_be_typed(method: str, option: str, choice: object) -> None:
    word = str(choice).lower() if isinstance(choice, bool) else choice
    words = [f"method={method}", "dataset=phantom", f"method.{option}={word}"]
    (chosen,) = compose_demand(words, discover(), gpu=False).choices
    assert chosen.options[option] == choice
    assert type(chosen.options[option]) is type(choice)


def test_sweeps_over_options(compose: Compose) -> None:
    demand = compose("method.lr=0.1,0.2", "method.sizes=[8],[8,16]", "dataset.side=16,32")
    found = [
        (c.options["lr"], c.options["sizes"], c.dataset_options["side"]) for c in demand.choices
    ]
    assert found == [
        (lr, sizes, side) for lr in (0.1, 0.2) for sizes in ([8], [8, 16]) for side in (16, 32)
    ]
    assert demand.choices[0].overrides == {"sizes": [8]}


def test_a_range_of_an_option(compose: Compose) -> None:
    assert [c.options["steps"] for c in compose("method.steps=range(1,6,2)").choices] == [1, 3, 5]


def test_a_changed_budget_has_another_name(compose: Compose) -> None:
    (choice,) = compose("budget.seconds=90").choices
    assert (choice.budget.name, choice.budget.seconds) == ("cpu-2min+seconds=90", 90)
    words = ["budget=steps-100", "budget.steps=7", "budget.probes=2"]
    names = {compose(*order).choices[0].budget.name for order in (words, words[::-1])}
    assert names == {"steps-100+probes=2+steps=7"}
    swept = compose("budget=cpu-30s,cpu-1min", "budget.seconds=5,6").choices
    assert [(c.budget.name, c.budget.seconds) for c in swept] == [
        ("cpu-30s+seconds=5", 5),
        ("cpu-30s+seconds=6", 6),
        ("cpu-1min+seconds=5", 5),
        ("cpu-1min+seconds=6", 6),
    ]


def test_a_limit_may_be_taken_away(compose: Compose) -> None:
    (choice,) = compose("budget.seconds=null", "budget.steps=20").choices
    assert choice.budget.name == "cpu-2min+seconds=null+steps=20"
    assert (choice.budget.seconds, choice.budget.steps) == (None, 20)


def test_a_changed_backbone_has_another_name(compose: Compose) -> None:
    """Else numbers of two checkpoints would stand in one table."""
    (choice,) = compose("backbone.sam=vit_l").choices
    assert choice.backbone == {
        "name": "nano+sam=vit_l",
        "sam": "vit_l",
        "sam2": "nano",
        "dino": "nano",
    }


def test_where_and_how_it_runs(compose: Compose) -> None:
    demand = compose(
        "executor.jobs=2",
        "executor.timeout=600",
        "device=cpu",
        "results=my runs/first",
        "keep=predictions,state",
        "rerun=failed",
        "data.root=../shared/data",
        "data.partial=true",
        "data.cache='2024'",
    )
    assert demand.executor == {
        "name": "local",
        "jobs": 2,
        "threads": "auto",
        "timeout": 600,
        "share_gpu": False,
    }
    assert (demand.device, demand.results) == ("cpu", Path("my runs/first"))
    assert (demand.keep, demand.rerun) == (("predictions", "state"), "failed")
    assert demand.data == {
        "root": "../shared/data",
        "cache": "2024",
        "partial": True,
        "skip_bad": False,
        "hash_ids": False,
    }
    assert compose("executor=inline", "rerun=all").executor == {"name": "inline"}
    assert compose("data.root=2024").data["root"] == "2024"


def test_paths_with_special_characters(compose: Compose) -> None:
    assert compose('results="Zoë (1)/a=b,c"').results == Path("Zoë (1)/a=b,c")
    assert compose('results="~/runs"').results == Path.home() / "runs"


def test_a_request_for_data_alone(registry: Registry) -> None:
    wanted, data = compose_data(["dataset=toy_data", "dataset.side=8,16"], registry)
    assert wanted == [
        ("toy_data", {"root": None, "side": 8}),
        ("toy_data", {"root": None, "side": 16}),
    ]
    assert data == {
        "root": None,
        "cache": None,
        "partial": False,
        "skip_bad": False,
        "hash_ids": False,
    }
    default, data = compose_data(["data.skip_bad=true"], registry)
    assert [name for name, _ in default] == ["phantom"]
    assert data["skip_bad"] is True


@pytest.mark.parametrize("taken", [False, True])
def test_nothing_of_hydra_stays_behind(compose: Compose, taken: bool) -> None:
    """sam2 composes its own models with Hydra in the same process, before or after."""
    from hydra import initialize_config_module
    from hydra.core.config_store import ConfigStore
    from hydra.core.global_hydra import GlobalHydra
    from hydra.version import getbase

    compose("shots=1")
    GlobalHydra.instance().clear()
    if taken:
        initialize_config_module("bench.conf", version_base="1.2")
    before = GlobalHydra.instance().hydra, getbase(), sorted(ConfigStore.instance().repo)
    try:
        compose("method=toy_method,plain_method", "seed=1")
        with pytest.raises(RequestError, match="is not a number"):
            compose("method.lr=fast")
        after = GlobalHydra.instance().hydra, getbase(), sorted(ConfigStore.instance().repo)
        assert after == before
        assert GlobalHydra.instance().is_initialized() == taken
        assert not {"method", "dataset"} & set(ConfigStore.instance().repo)
    finally:
        GlobalHydra.instance().clear()
