"""The options of every method: what is no value of theirs is refused before anything starts."""

from __future__ import annotations

import pytest

from bench.errors import RequestError
from bench.registry import discover, make_options

METHODS = list(discover().methods)


@pytest.mark.parametrize("name", METHODS)
def test_every_number_says_its_bounds(name: str) -> None:
    options = discover().method(name)[1].options
    unbounded = {
        key
        for key, option in options.items()
        if option.takes in (int, float) and option.choices is None and option.least is None
    }
    assert unbounded == set()


@pytest.mark.parametrize("name", METHODS)
def test_one_below_the_least_is_refused_and_the_least_is_not(name: str) -> None:
    found, card = discover().method(name)
    for key, option in card.options.items():
        if option.least is not None:
            make_options(found, {key: option.least if option.takes is float else int(option.least)})
            with pytest.raises(RequestError, match=f"^option {key} of method {name}: "):
                make_options(found, {key: int(option.least) - 1})


@pytest.mark.parametrize("name", METHODS)
def test_an_auto_that_could_be_a_number_says_so(name: str) -> None:
    """An `auto` without choices is a number; a card without its kind would take any text."""
    options = discover().method(name)[1].options
    assert [
        k for k, o in options.items() if o.default == "auto" and not (o.choices or o.kind)
    ] == []
