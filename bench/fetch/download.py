"""A remote file in a folder: there whole and checked, or not there."""

from __future__ import annotations

import os
from pathlib import Path

from bench.errors import RequestError
from bench.fetch.checksum import Digests, difference, digests
from bench.fetch.connect import flat
from bench.fetch.lock import alone
from bench.fetch.part import Part
from bench.fetch.progress import Meter, metered, terminal_meter
from bench.fetch.remote import RemoteFile
from bench.fetch.transfer import transfer
from bench.fetch.verified import is_verified, write_note


def download(
    remote: RemoteFile,
    folder: Path | str,
    *,
    progress: Meter | None = None,
    otherwise: str = "",
    attempts: int = 5,
    backoff: float = 1.0,
    timeout: float = 60.0,
) -> Path:
    """The path of the file, downloaded unless a checked copy is there.

    progress: who is told (default: a bar on a terminal, else two lines on stderr).
    otherwise: another way on, said where the file cannot be had ("or go on with backbone=nano").
    attempts: tries in a row that bring no new byte; between them `backoff` seconds, doubling.
    timeout: seconds of silence after which a connection counts as cut.
    """
    folder = Path(folder).absolute()
    target = folder / remote.name
    if is_verified(target, remote):
        return target
    meter = progress if progress is not None else terminal_meter()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(
            f"cannot make the folder {folder}: {error.strerror}; choose another folder"
        ) from error
    if target.exists() and not os.access(folder, os.W_OK):
        return _read_only(remote, target, meter)
    try:
        with alone(target, doing="downloading", meter=meter):
            if is_verified(target, remote) or _adopt(remote, target, meter):
                return target
            _fetch(remote, target, meter=meter, attempts=attempts, backoff=backoff, timeout=timeout)
    except OSError as error:
        raise RequestError(
            f"cannot keep {remote.name} in {folder}: {flat(error)}; "
            "make room or choose another folder, then run again to go on"
        ) from error
    except RequestError as error:
        if otherwise:
            raise RequestError(f"{error}; {otherwise}") from error
        raise
    return target


def _read_only(remote: RemoteFile, target: Path, meter: Meter) -> Path:
    """A shared cache that is not ours to write: checked each time, as no note can be left."""
    problem = difference(digests(target, md5=remote.md5 is not None, meter=meter), remote)
    if problem:
        raise RequestError(
            f"{target} is not the file expected: {problem}; "
            "its folder cannot be written: choose another folder"
        )
    return target


def _adopt(remote: RemoteFile, target: Path, meter: Meter) -> bool:
    """Take a file that was put there by hand, if it is the right one; else move it aside."""
    if not target.exists():
        return False
    if not target.is_file():
        raise RequestError(f"{target} is no file; move it away, {remote.name} belongs there")
    found = digests(target, md5=remote.md5 is not None, meter=meter)
    problem = difference(found, remote)
    if problem is None:
        write_note(target, found, remote)
        return True
    aside = target.with_name(target.name + ".bad")
    os.replace(target, aside)
    meter.say(f"{target} is not the file expected: {problem}; moved to {aside.name}")
    return False


def _fetch(
    remote: RemoteFile, target: Path, *, meter: Meter, attempts: int, backoff: float, timeout: float
) -> None:
    part = Part(target)
    again = False
    while True:
        with metered(meter):
            transfer(remote, part, meter=meter, attempts=attempts, backoff=backoff, timeout=timeout)
        found = digests(part.path, md5=remote.md5 is not None, meter=meter)
        problem = difference(found, remote)
        if problem is None:
            break
        part.clear()
        if again or not part.joined:
            raise RequestError(_refusal(remote, target, found, problem))
        # The bytes of several connections were joined: the seam may be wrong, not the source.
        meter.say(f"{remote.name}: {problem}; starting over, as it came over several connections")
        again = True
    os.replace(part.path, target)
    part.clear()
    write_note(target, found, remote)


def _refusal(remote: RemoteFile, target: Path, found: Digests, problem: str) -> str:
    return (
        f"{remote.name} from {remote.url} is refused: {problem}; its {found.bytes} bytes were "
        "removed. Run again; if it stays so the source has changed: mend the card, or "
        f"{remote.by_hand(target.parent)}"
    )
