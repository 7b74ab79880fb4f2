"""`key=value` words in Hydra's override grammar, with errors that a person can act on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from bench.errors import RequestError

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

LISTS = ("method", "dataset", "budget", "backbone", "shots", "draw", "seed", "val", "pool", "keep")
"""Keys whose value may also be written as a list: shots=[1,5]."""

LONGEST = 20_000
"""Characters of a word."""
SHOWN = 300
"""Of them in an error; what is longer is left out."""
MOST_VALUES = 10_000
"""Of one key."""


def parse(words: Sequence[str]) -> dict[str, list[str]]:
    """`key=value` words -> key: its values as Hydra would take them; one unless swept."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import OverrideType
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    parsed: dict[str, list[str]] = {}
    for word in words:
        if "=" not in word:
            raise RequestError(f"{word!r} is not key=value; for example shots=1,5")
        key, _, value = word.partition("=")
        if len(word) > LONGEST:
            raise RequestError(f"{key[:80]}=... has {len(word)} characters; {LONGEST} are the most")
        try:
            override = parser.parse_override(word)
            values = _values(override, key)
        except (HydraException, ValueError, OverflowError, RecursionError):
            # Besides its own errors Hydra lets out those of numbers that Python does not take.
            shown, inside = (text if len(text) <= SHOWN else "..." for text in (word, value))
            raise RequestError(
                f"{shown!r} can't be read; quote values with special characters: "
                f"{key[:SHOWN]}='\"{inside}\"'"
            ) from None
        if override.type is not OverrideType.CHANGE or override.package is not None:
            raise RequestError(f"{word!r}: say key=value; nothing can be added or removed")
        if key in parsed:
            raise RequestError(f"{key} is given twice; say {key}=a,b for several values")
        if key in LISTS:
            values = [name for value in values for name in listed(value)]
        if not values or values in ([""], ["''"], ['""']):
            raise RequestError(f"{key}= has no value; for example {key}={_example(key)}")
        parsed[key] = values
    return parsed


def _values(override: Override, key: str) -> list[str]:
    """A range may have no end, or more values than any memory: it is counted before it is made."""
    from hydra.core.override_parser.types import RangeSweep

    if not override.is_sweep_override():
        return [override.get_value_element_as_str()]
    found, most = override.value(), MOST_VALUES
    if isinstance(found, RangeSweep):
        ends = [float(end) for end in (found.start, found.stop) if end is not None]
        step = abs(float(found.step))
        if step == 0 or not (ends[-1] - ends[0]) / step < most > (ends[0] - ends[-1]) / step:
            raise RequestError(f"{key}: a range of at most {most} values, with a step, is read")
    values = list(islice(override.sweep_string_iterator(), most + 1))
    if len(values) > most:
        raise RequestError(f"{key} has more than {most} values")
    return values


def _example(key: str) -> str:
    examples = {
        "shots": "1,5",
        "draw": "0,1,2",
        "budget": "cpu-2min",
        "backbone": "nano",
        "pool": "own",
    }
    return examples.get(key, "VALUE")


def listed(value: str) -> list[str]:
    """`[a,b]`, `'a'` or `a` -> its words."""
    words = value.strip("[]").replace(" ", "").split(",")
    return [bare for word in words if (bare := word.strip("'\""))]
