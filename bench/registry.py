"""Finds methods and datasets: folders of the suite, installed packages, `--include` folders.

Reads cards; imports none of their code until `load` is asked for one class.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench.cards import DatasetCard, MethodCard
from bench.entries import CARDS, Found, Kind, read_entries
from bench.errors import RequestError, unknown

ROOT = Path(__file__).resolve().parent.parent
IMPORTED = re.compile(r"^\s*(?:from|import)\s+(methods|datasets)\.(\w+)", re.MULTILINE)
"""An entry that builds on another one of the suite."""


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


def _suite_folders(kind: Kind) -> Iterator[Found]:
    for folder in sorted((ROOT / f"{kind}s").iterdir()):
        if folder.is_dir() and not folder.name.startswith((".", "_")):
            package = f"{kind}s.{folder.name}"
            yield Found(kind, folder.name, folder, "suite", package)


def _package_folders(kind: Kind) -> Iterator[Found]:
    """An entry point names the package that is the entry's folder."""
    for point in entry_points(group=f"sambench.{kind}s"):
        folder, problem = Path(point.value), None
        try:
            spec = importlib.util.find_spec(point.module)
            places = list(spec.submodule_search_locations or []) if spec else []
            if places:
                folder = Path(places[0])
            else:
                problem = f"entry point {point.name} = {point.value}: there is no such package"
        except Exception as error:  # a parent package's own code runs here
            problem = f"entry point {point.name} = {point.value}: {type(error).__name__}: {error}"
        yield Found(kind, point.name, folder, "package", point.module, problem=problem)


def _included_folders(kind: Kind, path: Path) -> Iterator[Found]:
    """`--include PATH`: an entry's folder, a folder of such, or one with methods/ and datasets/."""
    for folder in (path, *sorted(path.glob("*")), *sorted(path.glob(f"{kind}s/*"))):
        if (folder / f"{kind}.py").is_file():
            yield Found(kind, folder.resolve().name, folder, "include", _package_of(folder))


def _package_of(folder: Path) -> str:
    """Two folders of one name, seen one after the other, never share their modules."""
    folder = folder.resolve()
    name = re.sub(r"\W", "_", folder.name)
    return f"sambench_included_{name}_{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"


def discover(include: Sequence[Path] = ()) -> Registry:
    """Every method and dataset that can be seen; two of one name are an error that names both."""
    included = [*dict.fromkeys(path.resolve() for path in include)]
    for path in included:
        if not path.is_dir():
            raise RequestError(f"--include {path}: there is no such folder")
        if not any(True for kind in CARDS for _ in _included_folders(kind, path)):
            raise RequestError(
                f"--include {path}: no folder with a method.py or dataset.py, in it or one below"
            )
    entries: dict[Kind, dict[str, Found]] = {"method": {}, "dataset": {}}
    for kind, known in entries.items():
        folders: dict[tuple[Path, str], Found] = {}  # one folder may be reached in two ways
        for found in (
            *_suite_folders(kind),
            *_package_folders(kind),
            *(entry for path in included for entry in _included_folders(kind, path)),
        ):
            folders.setdefault((found.folder.resolve(), found.name), found)
        for entry in (entry for found in folders.values() for entry in read_entries(found)):
            if entry.name in known:
                raise RequestError(
                    f"two {kind}s are called {entry.name!r}: {known[entry.name].folder} and "
                    f"{entry.folder}; rename one"
                )
            known[entry.name] = entry
    return Registry(methods=entries["method"], datasets=entries["dataset"])


def load(found: Found) -> type:
    """The class that an entry's card names."""
    assert found.card is not None
    module_name, class_name = found.card.entry.split(":")
    if not (found.folder / f"{module_name}.py").is_file():
        raise RequestError(f"{found.folder / 'card.yaml'}: entry: there is no {module_name}.py")
    try:
        module = _import(found, module_name)
    except Exception as error:  # importing runs a contributor's code
        where = f"{found.folder / module_name}.py"
        raise RequestError(
            f"{found.kind} {found.name}: {where} can't be imported: {type(error).__name__}: {error}"
        ) from error
    loaded = getattr(module, class_name, None)
    if not isinstance(loaded, type):
        raise RequestError(
            f"{found.folder / 'card.yaml'}: entry: {module_name}.py has no class {class_name}"
        )
    return loaded


def _import(found: Found, module: str) -> Any:
    """Suite folders import by their own name, so that their code and tests see one module."""
    if found.origin == "suite" and str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    if found.origin == "include" and found.package not in sys.modules:
        spec = importlib.util.spec_from_loader(found.package, loader=None, is_package=True)
        assert spec is not None
        spec.submodule_search_locations = [str(found.folder.resolve())]
        sys.modules[found.package] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"{found.package}.{module}")


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
    label = f"option {name} of {found.kind} {found.name}"
    return found.card.options[name].checked(value, label)


@cache
def source_hash(folder: Path) -> str:
    """Hash of an entry's Python files, and of the suite's entries that it builds on: a changed
    method is another method."""
    digest = hashlib.sha256()
    for root in _with_foundations(folder):
        for file in _python_files(root):
            digest.update(f"{root.name}/{file.relative_to(root).as_posix()}".encode() + b"\0")
            digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()


def _python_files(folder: Path) -> list[Path]:
    """Without caches and tests."""
    return [
        file
        for file in sorted(folder.rglob("*.py"))
        if not {"__pycache__", "tests"} & set(file.relative_to(folder).parts)
    ]


def _with_foundations(folder: Path) -> list[Path]:
    """The folder, and those of the suite that its code imports, and theirs."""
    folders = [folder]
    for place in folders:  # grows while it is walked
        files = _python_files(place)
        text = "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in files)
        for kind, name in sorted(set(IMPORTED.findall(text))):
            other = ROOT / kind / name
            if other.is_dir() and other.resolve() not in {known.resolve() for known in folders}:
                folders.append(other)
    return folders
