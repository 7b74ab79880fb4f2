"""Wrong requests: one line each, with what is wrong and the nearest that would be right."""

from __future__ import annotations

import pytest

from bench.errors import RequestError
from bench.registry import Registry
from bench.request.compose import compose_data, compose_demand
from tests.request.conftest import Refuse

DATA = "data.root, data.cache, data.partial, data.skip_bad"


def test_a_method_must_be_said(registry: Registry) -> None:
    with pytest.raises(RequestError) as caught:
        compose_demand(["shots=1"], registry, gpu=False)
    assert str(caught.value) == (
        "say which method=...; `ls methods` shows them, method=all takes all"
    )


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("method=unett", "unknown method 'unett'; did you mean unet"),
        ("method=toy_method,toy_methid", "unknown method 'toy_methid'; did you mean toy_method"),
        ("dataset=fantom", "unknown dataset 'fantom'; did you mean phantom?"),
        ("budget=cpu-2mins", "unknown budget 'cpu-2mins'; did you mean cpu-2min"),
        ("budget=cpu-2min,1gpu-1hour", "unknown budget '1gpu-1hour'; did you mean 1gpu-1h"),
        ("backbone=nanno", "unknown backbone 'nanno'; did you mean nano?"),
        ("backbone=huge", "unknown backbone 'huge'; known: base, large, nano, tiny"),
        ("executor=slurmm", "unknown executor 'slurmm'; "),
        ("executor=locl", "unknown executor 'locl'; did you mean local?"),
        ("val=orcle", "unknown value for val 'orcle'; did you mean oracle?"),
        ("rerun=fialed", "unknown value for rerun 'fialed'; did you mean failed?"),
        ("keep=predictoins", "unknown value for keep 'predictoins'; did you mean predictions?"),
        ("keep=[state,logs]", "unknown value for keep 'logs'; known: predictions, state"),
        ("seed=a", "seed=a: seeds are whole numbers"),
        ("seed=1,2.5", "seed=1,2.5: seeds are whole numbers"),
        ("shots=five", "shots=five is not understood; write a number of patients (5), "),
        ("shots=1,0", "shots=0: at least one labelled patient or slice is needed"),
        ("results=null", "results=null: say a folder; for example results=results"),
    ],
)
def test_wrong_values_name_the_nearest(refuse: Refuse, word: str, problem: str) -> None:
    assert refuse(word).startswith(problem)


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("shot=1", "unknown option 'shot'; did you mean shots?"),
        ("metod=unet", "unknown option 'metod'; did you mean method?"),
        ("bugdet=paper", "unknown option 'bugdet'; did you mean budget?"),
        ("lr=0.1", "unknown option 'lr'; known: "),
        ("shots.a=1", "unknown option 'shots.a'; did you mean shots"),
        ("draw.first=1", "unknown option 'draw.first'; did you mean "),
        ("keep.all=1", "unknown option 'keep.all'; "),
        ("device.index=1", "unknown option 'device.index'; did you mean device"),
        ("data=there", f"say which of {DATA}"),
        ("data.rot=there", "unknown option of data 'rot'; did you mean root?"),
        ("executor.jbos=2", "unknown option of executor local 'jbos'; did you mean jobs?"),
        ("budget.second=9", "unknown option of budget cpu-2min 'second'; did you mean seconds?"),
        ("budget.name=mine", "unknown option of budget cpu-2min 'name'; known: memory_gb, "),
        ("backbone.sam3=x", "unknown option of backbone nano 'sam3'; did you mean sam or sam2?"),
        ("method.lrr=1", "unknown option of method toy_method 'lrr'; did you mean lr?"),
        ("dataset.sied=1", "unknown option of dataset toy_data 'sied'; did you mean side?"),
        ("method.lr.deep=1", "unknown option of method toy_method 'lr.deep'; known: flip, lr, "),
    ],
)
def test_wrong_keys_name_the_nearest(refuse: Refuse, word: str, problem: str) -> None:
    assert refuse(word).startswith(problem)


def test_an_executor_without_that_key(refuse: Refuse) -> None:
    assert refuse("executor=inline", "executor.jobs=2") == (
        "unknown option of executor inline 'jobs'; known: none"
    )


def test_every_chosen_method_must_have_the_option(refuse: Refuse) -> None:
    assert refuse("method=toy_method,plain_method", "method.lr=1") == (
        "unknown option of method plain_method 'lr'; known: none"
    )


def test_an_unavailable_entry_says_why(refuse: Refuse) -> None:
    text = refuse("method=broken_method")
    assert text.startswith("method broken_method is not available: ")
    assert text.endswith("card.yaml: colour: unknown key")


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("method.lr=fast", "option lr of method toy_method: 'fast' is not a number"),
        ("method.lr=true", "option lr of method toy_method: True is not a number"),
        ("method.lr=null", "option lr of method toy_method: None is not a number"),
        ("method.steps=2.5", "option steps of method toy_method: 2.5 is not a whole number"),
        ("method.steps=5,many", "option steps of method toy_method: 'many' is not a whole number"),
        ("method.flip=1", "option flip of method toy_method: 1 is not true or false"),
        ("method.name=true", "option name of method toy_method: True is not text"),
        ("method.sizes=8", "option sizes of method toy_method: 8 is not a list"),
        (
            "method.sizes=[8,b]",
            "option sizes of method toy_method: in [8, 'b']: 'b' is not a whole number",
        ),
        (
            "method.mode=fats",
            "unknown value for option mode of method toy_method 'fats'; did you mean fast?",
        ),
        ("dataset.side=wide", "option side of dataset toy_data: 'wide' is not a whole number"),
        ("data.partial=yes", "data.partial=yes: true or false"),
        ("data.skip_bad=1", "data.skip_bad=1: true or false"),
        ("budget.seconds=long", "budget.seconds=long: a number above 0, or null"),
        ("budget.seconds=0", "budget.seconds=0: a number above 0, or null"),
        ("budget.seconds=-5", "budget.seconds=-5: a number above 0, or null"),
        ("budget.seconds=inf", "budget.seconds=inf: a number above 0, or null"),
        ("budget.seconds=nan", "budget.seconds=nan: a number above 0, or null"),
        ("budget.seconds=true", "budget.seconds=True: a number above 0, or null"),
        ("budget.steps=2.5", "budget.steps=2.5: a whole number above 0, or null"),
        ("budget.steps=0", "budget.steps=0: a whole number above 0, or null"),
        ("budget.memory_gb=0", "budget.memory_gb=0: a number above 0, or null"),
        ("budget.probes=-1", "budget.probes=-1: a whole number, 0 or more"),
        ("budget.probes=null", "budget.probes=None: a whole number, 0 or more"),
    ],
)
def test_values_of_the_wrong_kind(refuse: Refuse, word: str, problem: str) -> None:
    assert refuse(word) == problem


@pytest.mark.parametrize(
    "word", ["executor=local,inline", "device=cpu,cuda", "results=a,b", "data.root=a,b"]
)
def test_what_is_single_takes_one_value(refuse: Refuse, word: str) -> None:
    assert refuse(word) == f"{word.partition('=')[0]} takes one value, not 2"


def test_no_probes_may_be_asked_for(compose: object) -> None:
    demand = compose("budget.probes=0")  # type: ignore[operator]
    assert demand.choices[0].budget.probes == 0


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["method=unet"], "unknown option 'method'; known: "),
        (["data.rot=x"], "unknown option of data 'rot'; did you mean root?"),
        (["datset=phantom"], "unknown option 'datset'; did you mean dataset"),
        (["dataset=fantom"], "unknown dataset 'fantom'; did you mean phantom?"),
        (["dataset=toy_data", "dataset.sied=3"], "unknown option of dataset toy_data 'sied'"),
        (["data.partial=maybe"], "data.partial=maybe: true or false"),
    ],
)
def test_wrong_requests_for_data(registry: Registry, words: list[str], problem: str) -> None:
    with pytest.raises(RequestError) as caught:
        compose_data(words, registry)
    assert str(caught.value).startswith(problem)
