"""What a folder says about itself: `card.yaml`, read without importing any of its code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from bench.errors import RequestError, nearest
from bench.options import Option, OptionValue
from bench.plainyaml import read_plain_yaml

Text = Annotated[str, Field(min_length=1)]
Entry = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*:[A-Za-z_][A-Za-z0-9_]*$")]
Family = Literal["sam", "sam2", "dino"]
OnCuda = Literal["bits", "deterministic", "close"]


class Card(BaseModel):
    """What methods and datasets have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Text
    summary: Text
    entry: Entry
    options: dict[str, Option] = {}
    needs: list[str] = []
    install: str = ""
    """`needs` are importable names beyond the suite's own; `install` is the pip line for them."""

    @property
    def defaults(self) -> dict[str, OptionValue]:
        return {name: option.default for name, option in self.options.items()}


class PretrainCard(BaseModel):
    """A method that pre-trains: which options change it, and its share of the budget.

    unless  option -> values with which the method does not pre-train at all (an ablation)
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    options: list[str] = []
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    unless: dict[str, list[OptionValue]] = {}


class MethodCard(Card):
    """`methods/<name>/card.yaml`.

    block        controls and oracle-prompted methods are never ranked with methods
    backbones    families it takes from the request, sam, sam2, dino, as a list; or for each the
                 option values that ask for it: `sam2: {family: [sam2]}`
    demo         quick enough for `make demo`
    needs_test_label  an oracle's prompts come from it; the harness gives it to these alone
    repeatable_on_cuda  what a second run on the same GPU gives: "bits", the same; "deterministic",
                 the same under torch's deterministic algorithms; "close", it may differ
    """

    paper: str = ""
    trains: str = ""
    block: Literal["method", "control", "oracle"] = "method"
    backbones: dict[Family, dict[str, list[OptionValue]]] = {}
    pretrain: PretrainCard | None = None
    unlabelled_images: bool = False
    needs_test_label: bool = False
    repeatable: bool = True
    repeatable_on_cuda: OnCuda = "close"
    demo: bool = True

    @field_validator("backbones", mode="before")
    @classmethod
    def _always_asked_for(cls, value: Any) -> Any:
        names = isinstance(value, list) and all(isinstance(family, str) for family in value)
        return {family: {} for family in value} if names else value

    @model_validator(mode="after")
    def _backbones_name_options(self) -> Self:
        asked = {name for when in self.backbones.values() for name in when}
        if strange := asked - set(self.options):
            raise ValueError(f"backbones name no option: {', '.join(sorted(strange))}")
        return self

    @model_validator(mode="after")
    def _pretraining_names_options(self) -> Self:
        for key in ("options", "unless") if self.pretrain is not None else ():
            strange = set(getattr(self.pretrain, key)) - set(self.options)
            if strange:
                raise ValueError(f"pretrain.{key} names no option: {', '.join(sorted(strange))}")
        return self

    def families(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Of backbones that it takes with these options."""
        return tuple(
            family
            for family, when in self.backbones.items()
            if all(options[name] in values for name, values in when.items())
        )

    def pretrains(self, options: Mapping[str, Any]) -> PretrainCard | None:
        """What is said of pre-training where there is any with these options."""
        if self.pretrain is None:
            return None
        left_out = any(options[name] in values for name, values in self.pretrain.unless.items())
        return None if left_out else self.pretrain


class RemoteCard(BaseModel):
    """A file that can be had automatically."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Text
    name: Text
    bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None
    unpack: bool = True


class DatasetCard(Card):
    """`datasets/<name>/card.yaml`.

    classes   foreground structures; label value = place in the list + 1. None: the copy says
    cases     labelled cases of the official set, where that is known
    homepage  where the set is published; empty for one that nobody else can have
    layouts   ways it lies on a disk -> the board's note on it ("" for the official one)
    spacing   mm (z, y, x) where files have none, from the source that the card names
    variants  name -> keys that replace this card's; each becomes `<folder>_<name>`
    """

    modality: Text
    classes: list[Text] | None
    cases: int | None = None
    licence: Text
    citation: Text
    homepage: str = ""
    official: Text
    layouts: dict[str, str]
    files: list[RemoteCard] = []
    manual: str = ""
    spacing: tuple[float, float, float] | None = None
    split: str = "split.json"
    demo: bool = False


C = TypeVar("C", bound=Card)


PARTS: dict[str, type[BaseModel]] = {
    "options": Option,
    "pretrain": PretrainCard,
    "files": RemoteCard,
}


def _plain_options(raw: dict[str, Any]) -> dict[str, Any]:
    """`lr: 0.001` is short for `lr: {default: 0.001}`."""
    options = raw.get("options") or {}
    if not isinstance(options, dict):
        return raw
    long = {
        name: value if isinstance(value, dict) else {"default": value}
        for name, value in options.items()
    }
    return {**raw, "options": long}


def _explain(file: Path, error: ValidationError, card: type[Card]) -> RequestError:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    problem = first["msg"]
    if first["type"] == "extra_forbidden":
        part = PARTS.get(str(first["loc"][0]), card) if len(first["loc"]) > 1 else card
        close = nearest(str(first["loc"][-1]), part.model_fields)
        problem = "unknown key" + (f"; did you mean {' or '.join(close)}?" if close else "")
    elif first["type"] == "missing":
        problem = "this key is missing"
    elif first["type"] == "value_error":
        problem = problem.removeprefix("Value error, ")
    return RequestError(": ".join(part for part in (str(file), where, problem) if part))


def read_yaml(file: Path) -> dict[str, Any]:
    """The card as a mapping. A card is data: nothing in it is ever constructed or executed."""
    try:
        raw = read_plain_yaml(file)
    except FileNotFoundError:
        raise RequestError(f"{file}: there is no card here; every entry needs one") from None
    if not isinstance(raw, dict):
        raise RequestError(f"{file}: a card is a mapping of keys to values")
    return raw


def parse_card(file: Path, raw: dict[str, Any], card: type[C]) -> C:
    try:
        return card.model_validate(_plain_options(raw))
    except ValidationError as error:
        raise _explain(file, error, card) from None
