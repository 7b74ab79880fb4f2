"""Reading and writing `split.json`, with one clear line for whatever is wrong in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.data.splits.book import (
    FORMAT,
    Draw,
    Split,
    SplitBook,
    check_book,
    content_hash,
    to_json,
)
from bench.data.splits.rule import draw_book
from bench.errors import RequestError, unknown
from bench.record.whole import whole
from bench.smallfile import read_json


def load_book(path: Path, dataset: str) -> SplitBook:
    """The book of `dataset` in `path`; its hash, its types and its logic are checked."""
    content = _read_json(path)
    if "books" in content:
        books = _typed(content, "books", dict, path)
        if dataset not in books:
            raise unknown(f"dataset in {path}", dataset, books)
        content = books[dataset]
        if not isinstance(content, dict):
            raise RequestError(f"{path}: the book of {dataset} is not an object")
    return _parse(content, dataset, path)


def book_names(path: Path) -> tuple[str, ...]:
    """The datasets that `path` has books of; theirs is not looked at."""
    content = _read_json(path)
    if "books" in content:
        return tuple(_typed(content, "books", dict, path))
    return (_typed(content, "dataset", str, path),)


def save_book(path: Path, *books: SplitBook) -> None:
    """Writes one book, or several as one file; a cut write never looks like a whole file."""
    stored = {book.dataset: {**to_json(book), "sha256": book.sha256} for book in books}
    only = next(iter(stored.values()))
    content = only if len(books) == 1 else {"format": FORMAT, "books": stored}
    if not path.parent.is_dir():
        raise RequestError(f"cannot write the split {path}: there is no folder {path.parent}")
    try:
        with whole(path) as part:
            part.write_text(_layout(content) + "\n", encoding="utf-8")
    except OSError as error:
        raise RequestError(f"cannot write the split {path}: {error.strerror}") from error


def open_book(
    path: Path, dataset: str, patients: Iterable[str], sites: Mapping[str, str]
) -> SplitBook:
    """The book in `path`; where there is none yet, one is drawn by our rule and saved there."""
    present = sorted(set(patients))
    if not path.exists():
        save_book(path, draw_book(dataset, present, sites))
    book = load_book(path, dataset)
    strangers = sorted(set(present) - set(book.splits[book.default].patients))
    if strangers:
        raise RequestError(
            f"{len(strangers)} of {len(present)} patients are not in {path} "
            f"({', '.join(strangers[:5])}{', ...' if len(strangers) > 5 else ''}); "
            "delete that file to draw a new split: old records are not compared with new ones"
        )
    return book


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
    except FileNotFoundError as error:
        raise RequestError(f"no split file {path}") from error
    except json.JSONDecodeError as error:
        raise RequestError(f"{path} is not JSON: {error.msg} in line {error.lineno}") from error
    except (OSError, ValueError) as error:
        raise RequestError(f"cannot read the split {path}: {error}") from error
    if not isinstance(content, dict):
        raise RequestError(f"{path} holds no JSON object")
    return content


def _parse(content: dict[str, Any], dataset: str, path: Path) -> SplitBook:
    if content.get("format") != FORMAT:
        raise RequestError(
            f"{path}: format {content.get('format')!r} is unknown; this version reads {FORMAT}"
        )
    stated = _typed(content, "sha256", str, path)
    actual = content_hash({key: value for key, value in content.items() if key != "sha256"})
    if stated != actual:
        raise RequestError(
            f"{path}: the content of {dataset} does not match its sha256 "
            f"(stated {stated[:12]}, found {actual[:12]}); restore the committed file"
        )
    named = _typed(content, "dataset", str, path)
    if named != dataset:
        raise RequestError(f"{path} is the split of {named}, not of {dataset}")
    splits = _typed(content, "splits", dict, path)
    draws = _typed(content, "draws", dict, path)
    sites = _typed(content, "sites", dict, path)
    return check_book(
        SplitBook(
            dataset=dataset,
            default=_typed(content, "default", str, path),
            splits={name: _split(name, splits, path) for name in splits},
            draws={name: _draw(name, draws, path) for name in draws},
            sites={str(patient): str(site) for patient, site in sites.items()},
        )
    )


def _split(name: str, splits: dict[str, Any], path: Path) -> Split:
    body = _typed(splits, name, dict, path)
    return Split(
        name=name,
        source=_typed(body, "source", str, path),
        train=_names(body, "train", path),
        val=_names(body, "val", path),
        test=_names(body, "test", path),
    )


def _draw(name: str, draws: dict[str, Any], path: Path) -> Draw:
    body = _typed(draws, name, dict, path)
    return Draw(
        name=name,
        split=_typed(body, "split", str, path),
        source=_typed(body, "source", str, path),
        patients=_names(body, "patients", path),
        slices=tuple(_slice(entry, path) for entry in _names(body, "slices", path)),
        foreground=_typed(body, "foreground", bool, path),
    )


def _slice(entry: str, path: Path) -> tuple[str, int]:
    case, _, index = entry.rpartition(":")
    if not case or not re.fullmatch("[0-9]{1,9}", index):
        raise RequestError(f"{path}: {entry!r} is no slice; write it as case:index")
    return case, int(index)


def _names(body: dict[str, Any], key: str, path: Path) -> tuple[str, ...]:
    entries = _typed(body, key, list, path)
    if not all(isinstance(entry, str) for entry in entries):
        raise RequestError(f"{path}: {key!r} must be a list of strings")
    return tuple(entries)


def _typed(body: dict[str, Any], key: str, kind: type, path: Path) -> Any:
    if key not in body:
        raise RequestError(f"{path}: the key {key!r} is missing")
    if not isinstance(body[key], kind):
        raise RequestError(f"{path}: {key!r} must be of type {kind.__name__}")
    return body[key]


def _layout(value: Any, indent: int = 0) -> str:
    """JSON with one key a line and each list on its own line, so that a diff shows the draw."""
    if not isinstance(value, dict) or not value:
        return json.dumps(value, ensure_ascii=False)
    pad = " " * (indent + 1)
    lines = [
        f"{pad}{json.dumps(key, ensure_ascii=False)}: {_layout(entry, indent + 1)}"
        for key, entry in value.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n" + " " * indent + "}"
