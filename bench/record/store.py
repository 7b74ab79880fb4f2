"""Records on the disk: one file a unit, written whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from bench.errors import RequestError, unknown
from bench.record.schema import Record, Request
from bench.record.whole import whole
from bench.smallfile import read_json, read_small

LONGEST = 160
"""Characters of a file's name before its key; a file system takes 255 in all."""


def record_path(results: Path, request: Request, key: str) -> Path:
    """`records/<dataset>/<method>/<shots>-<draw>-...-<key>.json`: a person finds it by name."""
    shots = request.shots.replace("%", "pct")
    words = f"shots{shots}-draw{request.draw}-{request.budget.name}-{request.backbone}"
    name = f"{re.sub(r'[^A-Za-z0-9.+=-]', '_', words)[:LONGEST]}-{key}.json"
    return results / f"records/{request.dataset}/{request.method}/{name}"


def write_record(path: Path, record: Record) -> None:
    """Atomic, and on the disk when it returns."""
    with whole(path, lasting=True) as scratch:
        scratch.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_record(path: Path) -> Record:
    try:
        return Record.model_validate_json(read_small(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise RequestError(
            f"record {path}: {where}: {first['msg']}; "
            "it was changed by hand or made by another version: delete it and run the unit again"
        ) from None
    except OSError as error:
        raise RequestError(f"record {path}: {error.strerror}") from None


def record_files(results: Path) -> list[Path]:
    """All record files, in a stable order; half-written ones are hidden files, not among them."""
    return sorted((results / "records").glob("*/*/[!.]*.json"))


def read_records(results: Path) -> Iterator[Record]:
    for path in record_files(results):
        yield read_record(path)


HEAD = 200
"""Bytes of a record that hold its status: only numbers and the key come before it."""
STATUS = re.compile(rb'\s*{\s*"schema_version": \d+,[^{]*"status": "(done|failed)"')


def status_of(path: Path) -> str | None:
    """ "done", "failed", or None where there is no record. Cheap: of a record as `write_record`
    leaves it, the first and the last bytes are read."""
    try:
        with open(path, "rb", opener=_at_once) as file:
            found = STATUS.match(file.read(HEAD))
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 3))
            if found and file.read() == b"\n}\n":
                return found[1].decode()
        status = read_json(path)["status"]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RequestError(f"record {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        status = None
    if status not in ("done", "failed"):
        raise RequestError(f"record {path}: not a record; delete it and run the unit again")
    return str(status)


def _at_once(path: str, flags: int) -> int:
    """A pipe in the place of a record would be waited for without end."""
    return os.open(path, flags | os.O_NONBLOCK)


def is_key(word: str) -> bool:
    """Whether it can be a record's key, or enough of one's beginning to find the record by."""
    return re.fullmatch(r"[0-9a-f]{4,16}", word) is not None


def find_record(results: Path, key: str) -> Path:
    """The record whose key starts with `key`."""
    if not is_key(key):
        raise RequestError(
            f"{key!r} is no record key: 4 to 16 hexadecimal digits (see `ls records`)"
        )
    found = [p for p in record_files(results) if p.stem.rsplit("-", 1)[-1].startswith(key)]
    if not found:
        raise unknown("record", key, [p.stem.rsplit("-", 1)[-1] for p in record_files(results)])
    if len(found) > 1:
        raise RequestError(f"record key {key!r} fits {len(found)} records; give more digits")
    return found[0]
