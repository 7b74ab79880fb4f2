"""Names for cases and patients that say nothing: a keyed hash, its secret beside the data.

Ids are often short numbers. A plain hash of one is found again by trying them all; with a secret of
256 bits it is not. Whoever has the file of the secret can tell who is who: it stays with the data.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.errors import RequestError
from bench.fetch.lock import alone
from bench.fetch.progress import Silent
from bench.record.whole import whole

FORMAT = 1
DIGITS = 16


@dataclass(frozen=True)
class Ids:
    """salt  32 random bytes, drawn once a copy"""

    salt: bytes

    def of(self, name: str) -> str:
        """The same for a case and a patient of one name, as in the copy itself."""
        raw = name.encode("utf-8", "surrogateescape")  # a file's name may be no text
        return f"h-{hmac.new(self.salt, raw, hashlib.sha256).hexdigest()[:DIGITS]}"

    @property
    def fingerprint(self) -> str:
        """Tells two salts apart and says nothing of them."""
        return hashlib.sha256(b"ids" + self.salt).hexdigest()[:8]


def is_hashed(name: str) -> bool:
    return re.fullmatch(rf"h-[0-9a-f]{{{DIGITS}}}", name) is not None


def open_ids(path: Path, names: Iterable[str]) -> Ids:
    """The salt in `path`, drawn where there is none yet. The file also lists hashed -> clear, so
    that its owner can look up whom a record speaks of; new names are added to it."""
    wanted = set(names)
    ids, listed = _read(path)
    if ids is not None and wanted <= listed:
        return ids
    if not os.access(path.parent, os.W_OK):
        raise _unwritable(path, "the folder is read-only")
    with alone(path, doing="writing", meter=Silent()):
        ids, listed = _read(path)  # somebody may have drawn one meanwhile
        ids = Ids(secrets.token_bytes(32)) if ids is None else ids
        try:
            _write(path, ids, wanted | listed)
        except OSError as error:
            raise _unwritable(path, error.strerror or str(error)) from None
    return ids


def _unwritable(path: Path, reason: str) -> RequestError:
    return RequestError(
        f"cannot write {path}: {reason}; data.hash_ids=true keeps its secret there, beside the "
        "data: make the folder writable"
    )


def _read(path: Path) -> tuple[Ids | None, set[str]]:
    try:
        content = json.loads(path.read_bytes())
        if content["format"] != FORMAT:
            raise ValueError
        ids = Ids(bytes.fromhex(content["salt"]))
        listed = content["ids"]
        whole_file = len(ids.salt) == 32 and all(ids.of(n) == key for key, n in listed.items())
    except FileNotFoundError:
        return None, set()
    except OSError as error:
        raise RequestError(f"{path}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole_file = False
    if not whole_file:
        raise RequestError(
            f"{path} is damaged: put the old one back; if you delete it, all hashed ids change, "
            "and old records are not compared with new ones"
        )
    return ids, set(listed.values())


def _write(path: Path, ids: Ids, names: set[str]) -> None:
    """For its owner's eyes alone."""
    content = {
        "format": FORMAT,
        "about": "the secret of data.hash_ids=true, and whom each id means: keep it with the data",
        "salt": ids.salt.hex(),
        "ids": {ids.of(name): name for name in sorted(names)},
    }
    with whole(path) as scratch:
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
