"""One entry of the registry, as its folder's card describes it. Nothing of its code is imported."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from bench.cards import Card, DatasetCard, MethodCard, parse_card, read_yaml
from bench.errors import RequestError

Kind = Literal["method", "dataset"]
Origin = Literal["suite", "package", "include"]
CARDS: Mapping[Kind, type[Card]] = {"method": MethodCard, "dataset": DatasetCard}


@dataclass(frozen=True)
class Found:
    """One entry. `origin` says where it came from; `problem` why it can't be used.

    package  what the folder is imported as
    """

    kind: Kind
    name: str
    folder: Path
    origin: Origin
    package: str
    card: Card | None = None
    problem: str | None = None
    variant: str | None = None


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:  # "a.b" where there is no a
        return False


def _missing_extra(card: Card) -> str | None:
    missing = [name for name in card.needs if not _is_installed(name)]
    if not missing:
        return None
    mend = card.install or f"pip install {' '.join(missing)}"
    return f"needs {', '.join(missing)}; {mend}"


def read_entries(found: Found) -> list[Found]:
    """The entries of one folder: itself, or one a variant. A bad card stops only its own folder."""
    if found.problem is not None:
        return [found]
    file = found.folder / "card.yaml"
    try:
        raw = read_yaml(file)
        variants = raw.pop("variants", None)
        if variants is None:
            named: dict[str | None, dict[str, Any]] = {None: raw}
        elif isinstance(variants, dict) and variants:
            named = {str(key): _merge(file, raw, key, extra) for key, extra in variants.items()}
        else:
            raise RequestError(f"{file}: variants: a mapping of names to keys, or leave it out")
        cards = {key: parse_card(file, merged, CARDS[found.kind]) for key, merged in named.items()}
    except RequestError as error:
        return [replace(found, problem=str(error))]
    return [
        replace(
            found,
            name=found.name if key is None else f"{found.name}_{key}",
            card=card,
            problem=_missing_extra(card),
            variant=key,
        )
        for key, card in cards.items()
    ]


def _merge(file: Path, base: Mapping[str, Any], key: Any, extra: Any) -> dict[str, Any]:
    """A variant's keys replace the card's; its options join them."""
    extra = extra or {}
    if not isinstance(extra, dict):
        raise RequestError(f"{file}: variants.{key}: a mapping of keys to values")
    merged = {**base, **extra}
    given = [part.get("options") or {} for part in (base, extra)]
    if all(isinstance(options, dict) for options in given):  # else the card's check names it
        merged["options"] = {**given[0], **given[1]}
    return merged
