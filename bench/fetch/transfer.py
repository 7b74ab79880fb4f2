"""Bytes from a server into a part file, over as many connections as it takes."""

from __future__ import annotations

import os
import time
from contextlib import closing
from typing import TYPE_CHECKING

from bench.errors import RequestError
from bench.fetch.answer import check_offer, goes_on, origin_of, whole_length
from bench.fetch.connect import CutError, RefusedError, chunks, open_url
from bench.fetch.part import Part
from bench.fetch.progress import Meter
from bench.fetch.remote import RemoteFile
from bench.fetch.size import need_space

if TYPE_CHECKING:
    from requests import Response

LONGEST_PAUSE = 30.0
# Without a single byte so far there is most likely no network: say so soon.
ATTEMPTS_UNREACHED = 2


def transfer(
    remote: RemoteFile,
    part: Part,
    *,
    meter: Meter,
    attempts: int,
    backoff: float,
    timeout: float,
) -> None:
    """Until the part is whole. `attempts`: tries in a row that bring no new byte."""
    best = part.size()
    reached = False
    failures = 0
    while True:
        try:
            if _fill(remote, part, meter=meter, timeout=timeout):
                return
        except RefusedError as error:
            raise RequestError(_unreachable(remote, part, str(error))) from error
        except CutError as error:
            size = part.size()
            reached = reached or size > best
            failures = 1 if size > best else failures + 1
            best = max(best, size)
            if failures >= (attempts if reached else min(attempts, ATTEMPTS_UNREACHED)):
                raise RequestError(_unreachable(remote, part, error.reason)) from error
            pause = min(backoff * 2 ** (failures - 1), LONGEST_PAUSE)
            pause = pause if error.wait is None else error.wait
            meter.say(f"{remote.name}: {error.reason}; trying again in {pause:g} s")
            time.sleep(pause)


def _unreachable(remote: RemoteFile, part: Part, reason: str) -> str:
    size = part.size()
    kept = f"{size} bytes are kept, run again to go on; or " if size else ""
    return f"cannot download {remote.url}: {reason}; {kept}{remote.by_hand(part.path.parent)}"


def _fill(remote: RemoteFile, part: Part, *, meter: Meter, timeout: float) -> bool:
    """One connection. True: the part is whole. False: it was emptied, ask for it from byte 0."""
    folder = part.path.parent
    origin = part.origin(remote)
    start = part.size() if origin else 0
    known = remote.bytes if origin is None or remote.bytes is not None else origin.total
    if known is not None and start > known:
        meter.say(f"{remote.name}: the part at hand is longer than the file; starting over")
        start = 0
    if start and start == known:
        return True
    validator = origin.validator if origin and start else None
    with closing(open_url(remote.url, start=start, validator=validator, timeout=timeout)) as answer:
        status = answer.status_code
        if status == 416 and whole_length(answer) == start:
            check_offer(remote, answer, folder=folder)
            return True  # nothing lies behind the last byte at hand
        if status == 416 or (status == 206 and not goes_on(answer, origin, start=start)):
            meter.say(f"{remote.name}: the server has another part or version; starting over")
            part.clear()
            return False
        check_offer(remote, answer, folder=folder)
        if status == 200:
            if start:
                meter.say(f"{remote.name}: the server sends it from byte 0 again; starting over")
            start = 0
            part.begin(origin_of(remote, answer))
        total = remote.bytes if remote.bytes is not None else whole_length(answer)
        if total is not None:
            need_space(folder, total - start, remote.name)
        _store(remote, part, answer, start=start, total=total, meter=meter)
    return True


def _store(
    remote: RemoteFile, part: Part, answer: Response, *, start: int, total: int | None, meter: Meter
) -> None:
    done = start
    meter.start(f"downloading {remote.name}", total=total, done=done)
    with part.open(append=start > 0) as file:
        for chunk in chunks(answer):
            file.write(chunk)
            done += len(chunk)
            if total is not None and done > total:
                break
            meter.move(done)
        file.flush()
        os.fsync(file.fileno())  # the final name must never outlive the bytes in a power cut
    if total is not None and done > total:
        part.clear()
        raise RequestError(
            f"{remote.name}: {remote.url} sends more than the {total} bytes expected; "
            f"if the source has changed mend the card, or {remote.by_hand(part.path.parent)}"
        )
    if total is not None and done < total:
        raise CutError(f"the connection ended after {done} of {total} bytes")
