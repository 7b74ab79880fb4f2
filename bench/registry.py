"""Finds methods and datasets: folders of the suite, installed packages, `--include` folders.

Reads cards; imports none of their code until `load` is asked for one class.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

from bench.cards import Card, DatasetCard, MethodCard, parse_card, read_yaml
from bench.errors import RequestError, unknown

ROOT = Path(__file__).resolve().parent.parent
Kind = Literal["method", "dataset"]
CARDS: Mapping[Kind, type[Card]] = {"method": MethodCard, "dataset": DatasetCard}


@dataclass(frozen=True)
class Found:
    """One entry. `origin` says where it came from; `problem` why it can't be used."""

    kind: Kind
    name: str
    folder: Path
    origin: Literal["suite", "package", "include"]
    card: Card | None = None
    problem: str | None = None
    variant: str | None = None


@dataclass(frozen=True)
class Registry:
    methods: Mapping[str, Found] = field(default_factory=dict)
    datasets: Mapping[str, Found] = field(default_factory=dict)

    def method(self, name: str) -> tuple[Found, MethodCard]:
        found = _usable(self.methods, "method", name)
        assert isinstance(found.card, MethodCard)
        return found, found.card

    def dataset(self, name: str) -> tuple[Found, DatasetCard]:
        found = _usable(self.datasets, "dataset", name)
        assert isinstance(found.card, DatasetCard)
        return found, found.card

    def available(self, kind: Kind) -> list[str]:
        entries = self.methods if kind == "method" else self.datasets
        return [name for name, found in entries.items() if found.problem is None]


def _usable(entries: Mapping[str, Found], kind: str, name: str) -> Found:
    if name not in entries:
        raise unknown(kind, name, entries)
    found = entries[name]
    if found.problem is not None:
        raise RequestError(f"{kind} {name} is not available: {found.problem}")
    return found


def _missing_extra(card: Card) -> str | None:
    missing = [name for name in card.needs if importlib.util.find_spec(name) is None]
    if not missing:
        return None
    mend = card.install or f"pip install {' '.join(missing)}"
    return f"needs {', '.join(missing)}; {mend}"


def _read(kind: Kind, folder: Path, origin: Literal["suite", "package", "include"]) -> list[Found]:
    """The entries of one folder: itself, or one a variant. A bad card stops only its own folder."""
    file = folder / "card.yaml"
    try:
        raw = read_yaml(file)
        variants = raw.pop("variants", None)
        if variants is None:
            named: dict[str | None, dict[str, Any]] = {None: raw}
        elif isinstance(variants, dict) and variants:
            named = {key: _merge(raw, extra or {}) for key, extra in variants.items()}
        else:
            raise RequestError(f"{file}: variants: a mapping of names to keys, or leave it out")
        cards = {key: parse_card(file, merged, CARDS[kind]) for key, merged in named.items()}
    except RequestError as error:
        return [Found(kind, folder.name, folder, origin, problem=str(error))]
    return [
        Found(
            kind=kind,
            name=folder.name if key is None else f"{folder.name}_{key}",
            folder=folder,
            origin=origin,
            card=card,
            problem=_missing_extra(card),
            variant=key,
        )
        for key, card in cards.items()
    ]


def _merge(base: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """A variant's keys replace the card's; its options join them."""
    options = {**(base.get("options") or {}), **(extra.get("options") or {})}
    return {**base, **extra, **({"options": options} if options else {})}


def _suite_folders(kind: Kind) -> Iterator[Path]:
    for folder in sorted((ROOT / f"{kind}s").iterdir()):
        if folder.is_dir() and not folder.name.startswith((".", "_")):
            yield folder


def _package_folders(kind: Kind) -> Iterator[Path]:
    for point in entry_points(group=f"sambench.{kind}s"):
        spec = importlib.util.find_spec(point.value)
        places = list(spec.submodule_search_locations or []) if spec else []
        yield Path(places[0]) if places else Path(point.value)


def _included_folders(kind: Kind, include: Sequence[Path]) -> Iterator[Path]:
    """`--include PATH`: an entry's folder, a folder of such, or one with methods/ and datasets/."""
    for path in include:
        for folder in (path, *sorted(path.glob("*")), *sorted(path.glob(f"{kind}s/*"))):
            if (folder / f"{kind}.py").is_file():
                yield folder


def discover(include: Sequence[Path] = ()) -> Registry:
    """Every method and dataset that can be seen; two of one name are an error that names both."""
    for path in include:
        if not path.is_dir():
            raise RequestError(f"--include {path}: there is no such folder")
    entries: dict[Kind, dict[str, Found]] = {"method": {}, "dataset": {}}
    for kind, known in entries.items():
        folders = [
            *((folder, "suite") for folder in _suite_folders(kind)),
            *((folder, "package") for folder in _package_folders(kind)),
            *((folder, "include") for folder in _included_folders(kind, include)),
        ]
        for folder, origin in folders:
            for found in _read(kind, folder, origin):  # type: ignore[arg-type]
                if found.name in known:
                    raise RequestError(
                        f"two {kind}s are called {found.name!r}: {known[found.name].folder} and "
                        f"{found.folder}; rename the folder of one"
                    )
                known[found.name] = found
    return Registry(methods=entries["method"], datasets=entries["dataset"])


def load(found: Found) -> type:
    """The class that an entry's card names."""
    assert found.card is not None
    module_name, class_name = found.card.entry.split(":")
    try:
        module = _import(found, module_name)
    except ImportError as error:
        raise RequestError(f"{found.kind} {found.name}: {found.folder}: {error}") from None
    loaded = getattr(module, class_name, None)
    if not isinstance(loaded, type):
        raise RequestError(
            f"{found.folder / 'card.yaml'}: entry: {module_name}.py has no class {class_name}"
        )
    return loaded


def _import(found: Found, module: str) -> Any:
    """Suite folders import by their own name, so that their code and tests see one module."""
    if found.origin == "suite":
        if str(ROOT) not in sys.path:
            sys.path.insert(0, str(ROOT))
        return importlib.import_module(f"{found.kind}s.{found.folder.name}.{module}")
    package = f"sambench_{found.kind}s_{found.folder.name}"
    if package not in sys.modules:
        spec = importlib.util.spec_from_loader(package, loader=None, is_package=True)
        assert spec is not None
        spec.submodule_search_locations = [str(found.folder)]
        sys.modules[package] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"{package}.{module}")


def make_options(
    found: Found, overrides: Mapping[str, Any] = {}, *, extra: Mapping[str, Any] = {}
) -> SimpleNamespace:
    """The entry's options with the user's overrides checked against the card."""
    assert found.card is not None
    values: dict[str, Any] = dict(found.card.defaults)
    for name, value in overrides.items():
        if name not in values:
            raise unknown(f"option of {found.kind} {found.name}", name, values)
        values[name] = check_option(found, name, value)
    return SimpleNamespace(**values, **extra)


def check_option(found: Found, name: str, value: Any) -> Any:
    """`value` as the option's own type, or an error that says what it may be."""
    assert found.card is not None
    option = found.card.options[name]
    label = f"option {name} of {found.kind} {found.name}"
    if option.choices is not None:
        allowed = {str(choice): choice for choice in option.choices}
        if str(value) not in allowed:
            raise unknown(f"value for {label}", str(value), allowed)
        return allowed[str(value)]
    default = option.default
    if default is None or value is None:
        return value
    if isinstance(default, bool) != isinstance(value, bool):
        raise RequestError(f"{label}: {value!r} is not {_kind(default)}")
    if isinstance(default, float) and isinstance(value, int):
        return float(value)
    if isinstance(default, str) and isinstance(value, int | float):
        return str(value)
    if not isinstance(value, type(default)):
        raise RequestError(f"{label}: {value!r} is not {_kind(default)}")
    return value


def _kind(default: Any) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", list: "a list"}
    return names.get(type(default), "text")


@cache
def source_hash(folder: Path) -> str:
    """Hash of an entry's own Python files: a changed method is another method."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        if "__pycache__" in file.parts or "tests" in file.relative_to(folder).parts:
            continue
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()
