"""`key=value` words: what they mean, and what is said about those that mean nothing."""

from __future__ import annotations

import pytest

from bench.errors import RequestError
from bench.request.grammar import listed, parse


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("shots=5", ["5"]),
        ("shots=1,5,10", ["1", "5", "10"]),
        ("shots=10%,20s,all", ["10%", "20s", "all"]),
        ("shots=[1,5]", ["1", "5"]),
        ("shots=[1, 5]", ["1", "5"]),
        ("draw=range(3)", ["0", "1", "2"]),
        ("draw=range(1,8,3)", ["1", "4", "7"]),
        ("draw='samed-221'", ["samed-221"]),
        ("method=choice(unet,samora)", ["unet", "samora"]),
        ('method="unet"', ["unet"]),
        ("method=all", ["all"]),
        ("keep=[predictions,state]", ["predictions", "state"]),
        ("method.lr=1e-3", ["0.001"]),
        ("method.lr=1e-3,1e-2", ["0.001", "0.01"]),
        ("method.sizes=[8,16]", ["[8,16]"]),
        ("method.sizes=[8,16],[32]", ["[8,16]", "[32]"]),
        ("method.flip=true", ["True"]),
        ("data.root=../shared/data", ["../shared/data"]),
        ("results=my folder", [r"my\ folder"]),
        ("results='a (1)'", ["'a (1)'"]),
        ("budget=1gpu-15min", ["1gpu-15min"]),
        ("data.root=null", ["null"]),
    ],
)
def test_words(word: str, values: list[str]) -> None:
    assert parse([word]) == {word.partition("=")[0]: values}


def test_many_words_keep_their_order() -> None:
    assert list(parse(["shots=1", "method=unet", "draw=0"])) == ["shots", "method", "draw"]
    assert parse([]) == {}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["unet"], "'unet' is not key=value; for example shots=1,5"),
        (["--fast"], "'--fast' is not key=value; for example shots=1,5"),
        (["shots="], "shots= has no value; for example shots=1,5"),
        (["shots=''"], "shots= has no value; for example shots=1,5"),
        (["shots=[]"], "shots= has no value; for example shots=1,5"),
        (["budget="], "budget= has no value; for example budget=cpu-2min"),
        (['results=""'], "results= has no value; for example results=VALUE"),
        (["+shots=1"], "'+shots=1': say key=value; nothing can be added or removed"),
        (["++shots=1"], "'++shots=1': say key=value; nothing can be added or removed"),
        (["~shots=1"], "'~shots=1': say key=value; nothing can be added or removed"),
        (["method@x=unet"], "'method@x=unet': say key=value; nothing can be added or removed"),
        (
            ["draw=0", "shots=1", "draw=1"],
            "draw is given twice; say draw=a,b for several values",
        ),
        (
            ["results=a=b"],
            "'results=a=b' can't be read; quote values with special characters: results='\"a=b\"'",
        ),
        (
            ["results=~/runs"],
            "'results=~/runs' can't be read; quote values with special characters: "
            "results='\"~/runs\"'",
        ),
        (
            ["shots=1,,5"],
            "'shots=1,,5' can't be read; quote values with special characters: shots='\"1,,5\"'",
        ),
        (
            ["shots=[1,5"],
            "'shots=[1,5' can't be read; quote values with special characters: shots='\"[1,5\"'",
        ),
        (
            ["draw=rang(3)"],
            "'draw=rang(3)' can't be read; quote values with special characters: "
            "draw='\"rang(3)\"'",
        ),
        (
            ["method=glob(*)"],
            "'method=glob(*)' can't be read; quote values with special characters: "
            "method='\"glob(*)\"'",
        ),
        (
            ["method.lr=interval(0,1)"],
            "'method.lr=interval(0,1)' can't be read; quote values with special characters: "
            "method.lr='\"interval(0,1)\"'",
        ),
    ],
)
def test_wrong_words(words: list[str], problem: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse(words)
    assert str(caught.value) == problem


@pytest.mark.parametrize("value", ["a=b", "~/runs", "Zoë/läufe", "a,b", "x(1)"])
def test_the_quoting_that_is_advised_works(value: str) -> None:
    """In a shell, key='"value"' arrives as key="value"."""
    assert parse([f'results="{value}"']) == {"results": [f'"{value}"']}


def test_listed() -> None:
    assert listed("[a, b,c]") == ["a", "b", "c"]
    assert listed("a") == ["a"]
    assert listed("'a'") == ["a"]
    assert listed("['a', \"b\"]") == ["a", "b"]
    assert listed("[]") == []
