"""What was asked for in a results folder: a file a sweep, so that any shell can see how it goes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from bench.errors import RequestError
from bench.record.whole import WriteError, whole
from bench.unit.spec import Unit
from bench.unit.trail import path_of

FOLDER = ".sweeps"


@dataclass(frozen=True)
class Sweep:
    """units  key -> (title, record's path below the results folder)"""

    asked: str
    command: str
    executor: str
    units: dict[str, tuple[str, str]]


def note_sweep(units: Sequence[Unit], *, command: str, executor: str) -> None:
    """One that is asked for again replaces itself: a file is named by the units that it is of."""
    if not units:
        return
    results = Path(units[0].results)
    named = {u.key: (u.title, str(path_of(u).relative_to(results))) for u in units}
    digest = hashlib.sha256("".join(sorted(named)).encode()).hexdigest()[:12]
    asked = datetime.now(UTC).isoformat(timespec="seconds")
    path = results / FOLDER / f"sweep-{digest}.json"
    with _alone(path.parent):
        for scratch in path.parent.glob(".sweep-*.tmp"):  # what killed commands left
            scratch.unlink(missing_ok=True)
        write_json(path, asdict(Sweep(asked, command, executor, named)))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Several shells may note a sweep at once."""
    lock = FileLock(folder / "notes.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise WriteError(folder, error.strerror or error) from error
    try:
        yield
    finally:
        lock.release()


def read_sweeps(results: Path) -> Iterator[Sweep]:
    """The one that was asked for last comes last."""
    found = []
    for file in (results / FOLDER).glob("sweep-*.json"):
        try:
            content = json.loads(file.read_bytes())
            units = {key: (title, path) for key, (title, path) in content.pop("units").items()}
            found.append(Sweep(**content, units=units))
        except (ValueError, LookupError, TypeError, AttributeError):
            raise RequestError(
                f"{file} is damaged; delete it: the same `run` command writes it again"
            ) from None
    yield from sorted(found, key=lambda sweep: sweep.asked)


def write_json(path: Path, content: Any, *, lasting: bool = False) -> None:
    """Atomic. `lasting`: on the disk when it returns."""
    with whole(path, lasting=lasting) as scratch:
        scratch.write_text(json.dumps(content), encoding="utf-8")
