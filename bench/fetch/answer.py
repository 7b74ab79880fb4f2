"""What the headers of an answer say of the file behind it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import RequestError
from bench.fetch.part import Origin
from bench.fetch.remote import RemoteFile

if TYPE_CHECKING:
    from requests import Response


def whole_length(answer: Response) -> int | None:
    """Length of the whole file as the server states it, for 200, 206 and 416 alike."""
    if answer.status_code == 200:
        length = answer.headers.get("content-length", "")
        return int(length) if length.isdigit() and not _chunked(answer) else None
    found = re.match(r"bytes (?:\d+-\d+|\*)/(\d+)", answer.headers.get("content-range", ""))
    return int(found[1]) if found else None


def goes_on(answer: Response, origin: Origin | None, *, start: int) -> bool:
    """Is a 206 the continuation asked for? A server may ignore If-Range; ETag and length tell."""
    span = re.match(r"bytes (\d+)-\d+/", answer.headers.get("content-range", ""))
    if origin is None or span is None or int(span[1]) != start:
        return False
    was_and_is = (
        (origin.etag, answer.headers.get("etag")),
        (origin.total, whole_length(answer)),
    )
    return all(was == now for was, now in was_and_is if was is not None and now is not None)


def check_offer(remote: RemoteFile, answer: Response, *, folder: Path) -> None:
    """Refuse before the transfer what cannot come out right."""
    total = whole_length(answer)
    if remote.bytes is not None and total is not None and total != remote.bytes:
        kind = answer.headers.get("content-type", "").split(";")[0]
        page = " (a web page: the source may ask for a login)" if kind == "text/html" else ""
        raise RequestError(
            f"{remote.name}: {remote.url} offers {total} bytes{page}, expected {remote.bytes}; "
            f"if the source has changed mend the card, or {remote.by_hand(folder)}"
        )
    stated = remote.bytes is not None or remote.has_hash
    if total is None and not stated and answer.status_code == 200 and not _chunked(answer):
        raise RequestError(
            f"{remote.name}: neither the card nor {remote.url} states a size or a hash, so a cut "
            "would go unseen; give the card bytes or sha256"
        )


def origin_of(remote: RemoteFile, answer: Response) -> Origin:
    return Origin(
        url=remote.url,
        bytes=remote.bytes,
        sha256=remote.sha256,
        md5=remote.md5,
        total=whole_length(answer),
        etag=answer.headers.get("etag"),
        modified=answer.headers.get("last-modified"),
    )


def _chunked(answer: Response) -> bool:
    return "chunked" in answer.headers.get("transfer-encoding", "").lower()
