"""The checkpoints there are. A card in `cards/<family>/` is all that a new one needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, overload

from pydantic import ValidationError

from bench.cards import read_yaml
from bench.errors import RequestError, nearest, unknown
from bench.models.checkpoints.card import CARD_CLASSES, CheckpointCard, DinoCard, Sam2Card, SamCard

NETWORK = ("input_size", "normalisation", "architecture")
CARDS = Path(__file__).resolve().parent / "cards"


def checkpoint_names(family: str) -> list[str]:
    """The names of a family's checkpoints, without reading their cards."""
    if family not in CARD_CLASSES:
        raise unknown("family of checkpoints", family, CARD_CLASSES)
    return sorted(file.stem for file in (CARDS / family).glob("*.yaml"))


@overload
def card_of(family: Literal["sam"], name: str) -> SamCard: ...
@overload
def card_of(family: Literal["sam2"], name: str) -> Sam2Card: ...
@overload
def card_of(family: Literal["dino"], name: str) -> DinoCard: ...
@overload
def card_of(family: str, name: str) -> CheckpointCard: ...
def card_of(family: str, name: str) -> CheckpointCard:
    """One card. A broken card of another checkpoint does not stand in the way."""
    names = checkpoint_names(family)
    if name not in names:
        raise unknown(f"{family} checkpoint", name, names)
    return read_card(CARDS / family / f"{name}.yaml")


def checkpoint_cards() -> dict[str, dict[str, CheckpointCard]]:
    """Family -> name -> card."""
    return {
        family: {name: card_of(family, name) for name in checkpoint_names(family)}
        for family in CARD_CLASSES
    }


def read_card(file: Path) -> CheckpointCard:
    """`<family>/<name>.yaml`; both names are the path's."""
    raw = _completed(file, read_yaml(file))
    for key in ("family", "name"):
        if key in raw:
            raise RequestError(f"{file}: {key}: the path of the card says it; take the key out")
    try:
        return CARD_CLASSES[file.parent.name].model_validate(
            {**raw, "family": file.parent.name, "name": file.stem}
        )
    except ValidationError as error:
        raise _explained(file, error) from None


def _completed(file: Path, raw: dict[str, Any]) -> dict[str, Any]:
    """With `like: NAME`, what a card does not say of its network is what that one says."""
    like = raw.pop("like", None)
    if like is None:
        return raw
    names = sorted(other.stem for other in file.parent.glob("*.yaml") if other != file)
    if like not in names:
        raise RequestError(f"{file}: like: {unknown('checkpoint', str(like), names)}")
    base = read_yaml(file.with_name(f"{like}.yaml"))
    return {**{key: base[key] for key in NETWORK if key in base}, **raw}


def _explained(file: Path, error: ValidationError) -> RequestError:
    """The first of the card's faults, in one line."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    problem = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        close = nearest(str(first["loc"][-1]), CARD_CLASSES[file.parent.name].model_fields)
        problem = "unknown key" + (f"; did you mean {' or '.join(close)}?" if close else "")
    elif first["type"] == "missing":
        problem = "this key is missing"
    return RequestError(f"{file}: {place}: {problem}" if place else f"{file}: {problem}")
