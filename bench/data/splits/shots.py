"""What `shots=` means: "5" patients, "10%" of the training patients, "20s" slices, "all"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Literal

from bench.errors import RequestError

_GRAMMAR = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>[%s]?)")


@dataclass(frozen=True)
class Shots:
    """A parsed request; str() of it is its canonical form ("05" -> "5")."""

    unit: Literal["patients", "percent", "slices", "all"]
    amount: Fraction = Fraction(0)

    def patients(self, train: int) -> int:
        """How many patients that is of `train` training patients; percentages round up."""
        if self.unit == "percent":
            return max(1, ceil(self.amount * train / 100))
        return int(self.amount)

    def __str__(self) -> str:
        if self.unit == "all":
            return "all"
        number = (
            str(int(self.amount)) if self.amount.denominator == 1 else f"{float(self.amount):.15g}"
        )
        return number + {"patients": "", "percent": "%", "slices": "s"}[self.unit]


def parse_shots(text: str) -> Shots:
    """Raises RequestError where `text` is none of the four forms."""
    if text == "all":
        return Shots("all")
    wrong = RequestError(
        f"shots={text} is not understood; write a number of patients (5), a share of the training "
        "patients (10%), a number of labelled slices (20s) or all"
    )
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        raise wrong
    amount = Fraction(match["number"])
    if match["unit"] == "%":
        if not 0 < amount <= 100:
            raise RequestError(f"shots={text}: a share is more than 0% and at most 100%")
        return Shots("percent", amount)
    if amount.denominator != 1:
        raise wrong
    if amount == 0:
        raise RequestError(f"shots={text}: at least one labelled patient or slice is needed")
    return Shots("slices" if match["unit"] == "s" else "patients", amount)
