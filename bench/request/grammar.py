"""`key=value` words in Hydra's override grammar, with errors that a person can act on."""

from __future__ import annotations

from collections.abc import Sequence

from bench.errors import RequestError


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
        try:
            override = parser.parse_override(word)
        except HydraException:
            key, _, value = word.partition("=")
            raise RequestError(
                f"{word!r} can't be read; quote values with special characters: {key}='\"{value}\"'"
            ) from None
        if override.type is not OverrideType.CHANGE or override.package is not None:
            raise RequestError(f"{word!r}: say key=value; nothing can be added or removed")
        key = override.key_or_group
        if key in parsed:
            raise RequestError(f"{key} is given twice; say {key}=a,b for several values")
        if override.is_sweep_override():
            parsed[key] = list(override.sweep_string_iterator())
        else:
            parsed[key] = [override.get_value_element_as_str()]
        if parsed[key] in ([""], ["''"], ['""']):
            raise RequestError(f"{key}= has no value; for example {key}={_example(key)}")
    return parsed


def _example(key: str) -> str:
    examples = {"shots": "1,5", "draw": "0,1,2", "budget": "cpu-2min", "backbone": "nano"}
    return examples.get(key, "VALUE")


def listed(value: str) -> list[str]:
    """`[a,b]` or `a` -> its words."""
    return [word for word in value.strip("[]").replace(" ", "").split(",") if word]
