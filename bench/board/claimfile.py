"""What papers claim, as data: a YAML file of comparisons that records can decide.

The harness names no method, so claims live beside the methods (`methods/claims.yaml`). Each says
which two rows are compared, by what, and from where on the claim holds. `docs/statistics.md`
explains the keys.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bench.errors import RequestError, nearest

Text = Annotated[str, Field(min_length=1)]
Value = bool | int | float | str | list[Any] | None


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Arm(Part):
    """A row: this method with these options, and with nothing else changed by a user.

    pool  whose images without labels: the dataset's own, those of several datasets, any, or those
          of exactly these datasets
    """

    method: Text
    options: dict[str, Value] = {}
    pool: Literal["own", "several", "any"] | Annotated[list[Text], Field(min_length=2)] = "own"

    @property
    def label(self) -> str:
        named = self.pool if isinstance(self.pool, str) else "+".join(sorted(self.pool))
        pool = [] if named in ("own", "any") else [f"pool={named}"]
        return " ".join([self.method, *(f"{n}={self.options[n]}" for n in self.options), *pool])


class Claim(Part):
    """`first` against each of `against`.

    effect     difference: first less second; ratio: first over second
    above      the claim holds where the effect is larger; `below`, where it is smaller
    shots      only there; without it everywhere
    labels     the second arm has so many times the first one's labelled patients
    backbone   published: the paper's networks, so ours (nano) decide nothing; none: no backbone
    """

    source: Text
    says: Text
    reading: Text
    first: Arm
    against: Annotated[list[Arm], Field(min_length=1)]
    measure: Literal["dice", "iou", "epochs"]
    effect: Literal["difference", "ratio"]
    above: float | None = None
    below: float | None = None
    shots: list[str] | None = None
    labels: Annotated[float, Field(gt=0)] = 1.0
    backbone: Literal["published", "none"]

    @model_validator(mode="after")
    def _has_one_bound(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("give one of `above` and `below`")
        bound = self.above if self.above is not None else self.below
        if self.effect == "ratio" and (bound is None or bound <= 0):
            raise ValueError("a ratio's bound is more than 0")
        if self.measure == "epochs" and (self.effect != "ratio" or self.labels != 1):
            raise ValueError("epochs are compared as a ratio, at equal labels")
        return self

    @property
    def arms(self) -> Iterator[tuple[str, Arm]]:
        yield "first", self.first
        yield from ((f"against.{place}", arm) for place, arm in enumerate(self.against))


class ClaimFile(Part):
    claims: dict[str, Claim]


MODELS = (Claim, Arm, ClaimFile)


def parse_claims(
    file: Path, raw: Mapping[str, Any], methods: Mapping[str, Collection[str]]
) -> dict[str, Claim]:
    """`methods`: name -> its options, of those that are installed; another method is no error (its
    claims are not run), an option that its method has not is one."""
    try:
        found = ClaimFile.model_validate(dict(raw)).claims
    except ValidationError as error:
        raise _explain(file, error) from None
    for name, claim in found.items():
        for place, arm in claim.arms:
            for option in arm.options:
                if arm.method in methods and option not in methods[arm.method]:
                    close = nearest(option, methods[arm.method])
                    hint = f"; did you mean {' or '.join(close)}?" if close else ""
                    raise RequestError(
                        f"{file}: claims.{name}.{place}.options: {arm.method} has no option "
                        f"{option!r}{hint}"
                    )
    return found


def _explain(file: Path, error: ValidationError) -> RequestError:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    problem = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        names = {name for model in MODELS for name in model.model_fields}
        close = nearest(str(first["loc"][-1]), names)
        problem = "unknown key" + (f"; did you mean {' or '.join(close)}?" if close else "")
    elif first["type"] == "missing":
        problem = "this key is missing"
    return RequestError(f"{file}: {where}: {problem}")
