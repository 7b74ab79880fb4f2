"""What a card says about an option, and a user's value held against it."""

from __future__ import annotations

import math
import re
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from bench.errors import RequestError, unknown

AUTO = "auto"
LOST_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")
"""Numbers that YAML 1.1 takes for text: 1e-3 has no point, 1.0e3 no sign."""
T = TypeVar("T")
KINDS = {bool: "true or false", int: "a whole number", float: "a number", list: "a list"}
OptionValue = bool | int | float | str | list[Any] | None


class Option(BaseModel):
    """One option of a method or dataset: its default, what it may be, what it does.

    kind         what it may be besides its default `auto`; elsewhere the default's own type says it
    least, most  the bounds of a number, which may be met
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    default: OptionValue
    choices: list[OptionValue] | None = None
    kind: Literal["whole", "number"] | None = None
    least: float | None = None
    most: float | None = None
    help: str = ""

    @field_validator("default", "choices")
    @classmethod
    def _asks_for_nothing(cls, value: Any) -> Any:
        if "${" in str(value):
            raise ValueError("${...} would be filled in from outside; write the value itself")
        return value

    @field_validator("default")
    @classmethod
    def _is_no_lost_number(cls, value: OptionValue) -> OptionValue:
        if isinstance(value, str) and LOST_NUMBER.fullmatch(value):
            raise ValueError(f"YAML reads {value} as text; write a point and a sign, as in 1.0e-3")
        return value

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if self.choices is not None and self.default not in self.choices:
            raise ValueError(f"the default {self.default!r} is not among the choices")
        if self.kind is not None and (self.default != AUTO or self.choices is not None):
            raise ValueError("kind is for options with the default auto and without choices")
        bounded = self.least is not None or self.most is not None
        if bounded and self.takes not in (int, float):
            raise ValueError("least and most are for numbers; with the default auto, say the kind")
        if self.kind is None and not self._inside(self.default):
            raise ValueError(f"the default {self.default!r} is not {self._bounds}")
        return self

    @property
    def takes(self) -> type | None:
        """Python's type of its values; None: anything."""
        if self.kind is not None:
            return int if self.kind == "whole" else float
        return None if self.default is None else type(self.default)

    @property
    def _bounds(self) -> str:
        least, most = (None if bound is None else f"{bound:g}" for bound in (self.least, self.most))
        if least is not None and most is not None:
            return f"from {least} to {most}"
        return f"of at least {least}" if most is None else f"of at most {most}"

    def _inside(self, value: Any) -> bool:
        return (self.least is None or value >= self.least) and (
            self.most is None or value <= self.most
        )

    def checked(self, value: Any, label: str) -> Any:
        """`value` as the option's own type, or an error that says what it may be."""
        if self.choices is not None:
            return self._chosen(value, label)
        if self.kind is not None and value == AUTO:
            return value
        if isinstance(self.default, list) and isinstance(value, list):
            kinds = {type(element) for element in self.default}
            if len(kinds) != 1:
                return value
            kind = kinds.pop()
            return [_like(kind, x, f"{label}: in {value!r}") for x in value]
        auto = ", or auto" if self.kind is not None else ""
        found = _like(self.takes, value, label, auto)
        if not self._inside(found):
            what = KINDS[self.takes] if self.takes else ""
            raise RequestError(f"{label}: {value!r} is not {what} {self._bounds}{auto}")
        return found

    def _chosen(self, value: Any, label: str) -> OptionValue:
        assert self.choices is not None
        allowed = {_typed(choice): choice for choice in self.choices}
        text = _typed(value)
        if text not in allowed and type(value) is int:  # 1 for 1.0
            text = _typed(float(value))
        if text not in allowed:
            raise unknown(f"value for {label}", _typed(value), allowed)
        return allowed[text]


def _typed(value: object) -> str:
    """As a user types it. Hydra makes a bool of the word true, whatever the card means by it."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _like(kind: type | None, value: Any, label: str, auto: str = "") -> Any:
    """`value` as one of this kind; None takes anything."""
    if kind is None:
        return value
    wrong = RequestError(f"{label}: {value!r} is not {KINDS.get(kind, 'text')}{auto}")
    if (kind is bool) != isinstance(value, bool):
        raise wrong
    if kind is float and isinstance(value, int):
        return float(value)
    if kind is str and isinstance(value, int | float):
        return str(value)
    if not isinstance(value, kind) or (isinstance(value, float) and not math.isfinite(value)):
        raise wrong
    return value


def given(value: T | str, fitting: T) -> T:
    """What the user gave, or what fits where that is `auto`. The card has checked it."""
    return fitting if isinstance(value, str) else value
