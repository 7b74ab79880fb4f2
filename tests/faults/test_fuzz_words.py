"""Words of a command that nobody should type: read, or refused in one line, at once.

Thousands of new ones: pytest tests/faults -k fuzz --hypothesis-profile=long
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import RequestError
from bench.registry import discover
from bench.request.checks import check_keys
from bench.request.compose import compose_demand
from bench.request.grammar import parse
from tests.faults.spoiling import many, said_by

KEYS = st.sampled_from(
    (
        *("method", "dataset", "shots", "draw", "seed", "budget", "budget.seconds", "val", "pool"),
        *(
            "keep",
            "data.root",
            "data.hash_ids",
            "backbone.sam",
            "executor.jobs",
            "results",
            "rerun",
        ),
        *("device", "method.lr", "hydra.run.dir", "defaults", "~seed", "+seed", "seed@x", "a.b.c"),
        *("", "\x1b[31m"),
    )
)
PIECES = st.sampled_from(
    (
        *("1", "5", "10%", "20s", "all", "unet", "phantom", "nano", ",", ",", "[", "]", "{", "}"),
        *("(", ")", "'", '"', "\\", "${", "${oc.env:HOME}", ":", "=", "range(", "choice(", "sort("),
        *("shuffle(", "interval(", "glob(", "tag(", "int(", "json_str(", "???", "null", "nan"),
        *("1e999", "-", " ", "9" * 400, "\0", "\n", "\x1b[31m", "\udcff", "../..", "🧠", "%s", "@"),
        *("#", "0x", "1_0", "."),
    )
)
WORD = st.builds(lambda key, parts: f"{key}={''.join(parts)}", KEYS, st.lists(PIECES, max_size=8))


def refused(words: list[str]) -> str:
    """The line with which they are refused; "" where they are read."""
    return said_by(lambda: check_keys(parse(words)))


@many(150)
@given(words=st.lists(st.one_of(WORD, st.text(max_size=30)), max_size=4))
def test_words(words: list[str]) -> None:
    refused(words)


@many(15, costly=30)
@given(word=WORD)
def test_requests(word: str) -> None:
    """The whole way, Hydra's compose included."""
    said_by(lambda: compose_demand(["method=control_empty", word], discover(), gpu=False))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["seed=range(0,1000000000)"], "seed: a range of at most 10000 values"),
        (["seed=range(0,1,1e-300)"], "seed: a range of at most 10000 values"),
        (["seed=range(5,0,-1e-9)"], "seed: a range of at most 10000 values"),
        (["seed=range(0,10,0)"], "seed: a range of at most 10000 values, with a step, is read"),
        (["seed=sort(range(0,1000000000))"], "seed: a range of at most 10000 values"),
        (["seed=shuffle(range(1000000000))"], "seed: a range of at most 10000 values"),
        (["draw=" + "a" * 20_000], "draw=... has 20005 characters; 20000 are the most"),
        (["shots=" + "9" * 5000], "can't be read"),
        (["shots=" + "[" * 5000], "can't be read"),
        (
            [f"method.{name}=range(0,100)" for name in ("a", "b", "c")],
            "1000000 configurations and 1000000 units are asked for; at most 100000 and 10000000",
        ),
        (
            ["seed=range(0,9000)", "draw=range(0,9000)"],
            "1 configurations and 81000000 units are asked for",
        ),
        (["budget.steps=1e30"], ""),
    ],
)
def test_more_than_can_be_listed(words: list[str], said: str) -> None:
    assert said in refused(words)


@pytest.mark.parametrize("word", ["seed=range(0,9999)", "seed=range(10,0,-1)", "seed=range(3)"])
def test_honest_ranges_are_read(word: str) -> None:
    assert refused([word]) == ""


@pytest.mark.parametrize("number", ["1e30", "1e308", "inf", "nan", "-1", "true"])
def test_absurd_budgets(number: str) -> None:
    for name in ("steps", "seconds", "probes"):
        with pytest.raises(RequestError, match=rf"budget\.{name}="):
            compose_demand([f"budget.{name}={number}", "method=unet"], discover(), gpu=False)


def test_a_card_cannot_ask_for_the_environment(tmp_path: object) -> None:
    from bench.cards import MethodCard, parse_card

    raw = {"title": "t", "summary": "s", "entry": "method:M"}
    for option in ("${oc.env:HOME}", {"default": "a", "choices": ["a", "${oc.env:HOME}"]}):
        with pytest.raises(RequestError, match="would be filled in from outside; write the value"):
            parse_card("card.yaml", {**raw, "options": {"x": option}}, MethodCard)  # type: ignore[arg-type]
