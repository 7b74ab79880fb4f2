"""One answer from a server, or the plain reason why there is none."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    from requests import Response

CHUNK = 1 << 18
MAX_REDIRECTS = 10
MAX_WAIT = 60.0
# A busy server, or one being mended. The other answers from 400 on do not change by waiting.
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class CutError(Exception):
    """The connection failed in a way that another try may mend."""

    def __init__(self, reason: str, *, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


class RefusedError(Exception):
    """The server, or this code, says no; another try would get the same answer."""


def open_url(url: str, *, start: int, validator: str | None, timeout: float) -> Response:
    """GET `url` from byte `start` on: an answer of 200, 206 or 416, or one of the errors above."""
    import requests

    # The bytes as they are stored: a hash is of those, and a range counts those.
    headers = {"Accept-Encoding": "identity", "User-Agent": "sambench"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator
    for _ in range(MAX_REDIRECTS + 1):
        try:
            response = requests.get(
                url, headers=headers, stream=True, allow_redirects=False, timeout=(10.0, timeout)
            )
        except requests.exceptions.SSLError as error:
            raise RefusedError(
                f"no safe connection to {urlsplit(url).hostname}: {flat(error)}"
            ) from error
        except (requests.ConnectionError, requests.Timeout) as error:
            raise CutError(connection_problem(url, error, timeout)) from error
        except (requests.RequestException, ValueError) as error:  # ValueError: a broken Location
            raise RefusedError(flat(error)) from error
        if not response.is_redirect:
            break
        response.close()
        following = urljoin(url, response.headers["location"])
        check_redirect(url, following)
        url = following
    else:
        raise RefusedError(f"more than {MAX_REDIRECTS} redirects")
    status = response.status_code
    if status == 200 or (status in (206, 416) and start):
        return response
    response.close()
    reason = f"the server answers {status} {response.reason}".rstrip()
    if status in PASSING:
        raise CutError(reason, wait=retry_after(response.headers.get("retry-after")))
    raise RefusedError(reason)


def check_redirect(url: str, following: str) -> None:
    """Refuse to be led from a safe address to an open one, or over an open one to a stranger."""
    here, there = urlsplit(url), urlsplit(following)
    if there.scheme not in ("http", "https") or not there.hostname:
        raise RefusedError(f"it redirects to {following}, which is no http or https URL")
    if there.scheme == "http" and here.scheme == "https":
        raise RefusedError(f"it redirects from https to plain http, {following}, which is refused")
    if there.scheme == "http" and there.hostname != here.hostname:
        raise RefusedError(
            f"it redirects over plain http to another host, {following}, which is refused"
        )


def chunks(response: Response) -> Iterator[bytes]:
    """The body as it arrives; CutError where it ends before the length announced."""
    from urllib3.exceptions import HTTPError, ReadTimeoutError

    # read1 hands over what has arrived, so a cut loses nothing; urllib3 has it since 2.1.
    read = getattr(response.raw, "read1", response.raw.read)
    while True:
        try:
            chunk = read(CHUNK, decode_content=False)
        except ReadTimeoutError as error:
            raise CutError("the server stopped sending") from error
        except (HTTPError, OSError) as error:
            raise CutError("the connection was cut") from error
        if not chunk:
            return
        yield chunk


def connection_problem(url: str, error: BaseException, timeout: float) -> str:
    """The plain reason behind the chain of wrapped errors that requests raises."""
    import requests

    host = urlsplit(url).hostname
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return f"the host name {host} cannot be resolved (no network?)"
        if isinstance(cause, ConnectionRefusedError):
            return f"{host} refuses the connection"
        if isinstance(cause, ConnectionResetError | BrokenPipeError):
            return "the connection was cut"
    if isinstance(error, requests.ReadTimeout):
        return f"{host} does not answer within {timeout:g} s"
    if isinstance(error, requests.Timeout):
        return f"{host} cannot be reached (no network?)"
    return flat(error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        item = waiting.pop()
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        waiting += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]


def flat(error: BaseException) -> str:
    """An error as one line."""
    return re.sub(r"\s+", " ", str(error)).strip() or type(error).__name__


def retry_after(header: str | None) -> float | None:
    """Seconds that a busy server asks for, bounded; dates are left to our own back-off."""
    return min(float(header), MAX_WAIT) if header and header.strip().isdigit() else None
