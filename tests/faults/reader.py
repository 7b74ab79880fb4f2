"""Reads strangers' files in a process of its own: `python -m tests.faults.reader`.

A line of JSON in ({"kind", "path"}), a line out: how it ended, and how much memory the process has
taken at most. A crash, a hang and a growth of memory are for the asking side to see.
"""

from __future__ import annotations

import faulthandler
import json
import resource
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.contract import RawCase, Source
from bench.data.checks import check_label
from bench.data.convert import convert_case
from bench.data.readers import npz_shape, read_dataset_json, read_image
from bench.data.splits import book_names, load_book, resolve
from bench.errors import RequestError

LIMIT = 8 << 30
"""Bytes of addresses. A reader that asks for more ends here, not the machine."""


def volume(path: Path) -> None:
    """All that `prepare` does to an image, and to a label map."""
    raw = read_image(path, case="Case07")
    ones = np.ones(raw.array.shape, np.uint8)
    case = RawCase(raw.array, ones, raw.spacing, raw.affine)
    source = Source("Case07", "Case07", (path,))
    convert_case(case, source, classes=("organ",), spacing=None, source_sha256="")
    check_label("Case07", raw.array, shape=raw.array.shape, classes=("organ",))


def shape(path: Path) -> None:
    npz_shape(path, "Case07", "image")


def card(path: Path) -> None:
    from bench.cards import parse_card, read_yaml
    from bench.entries import CARDS

    raw = read_yaml(path)
    for kind in CARDS.values():
        try:
            parsed = parse_card(path, dict(raw), kind)
        except RequestError:
            continue
        repr(parsed.defaults)


def split(path: Path) -> None:
    names = book_names(path)
    book = load_book(path, names[0] if names else "none")
    for draw in book.draws:
        present = {patient: [patient] for patient in book.split_of(draw).patients}
        shown = dict.fromkeys(present, (0, 1))
        for shots in ("1", "50%", "2s", "all"):
            try:
                resolve(
                    book,
                    draw=draw,
                    shots=shots,
                    present=present,
                    foreground=shown,
                    probe_patients=2,
                )
            except RequestError:
                continue


def described(path: Path) -> None:
    """`path` is a dataset.json."""
    found = read_dataset_json(path.parent)
    print(found.classes, found.ignore, found.channels, file=sys.stderr)


def weights(path: Path) -> None:
    from bench.models.checkpoints.reading import read_weights

    for name, tensor in read_weights(
        path, nesting="" if path.suffix != ".pth" else "model"
    ).items():
        print(name, tensor.sum(), file=sys.stderr)


TARGETS: dict[str, Callable[[Path], Any]] = {
    "volume": volume,
    "shape": shape,
    "card": card,
    "split": split,
    "described": described,
    "weights": weights,
}


def outcome(kind: str, path: Path) -> dict[str, Any]:
    try:
        TARGETS[kind](path)
    except RequestError as error:
        return {"end": "refused", "type": type(error).__name__, "said": str(error)}
    except BaseException:
        return {"end": "fault", "said": traceback.format_exc()}
    return {"end": "read"}


def main() -> None:
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    for line in sys.stdin:
        asked = json.loads(line)
        found = outcome(asked["kind"], Path(asked["path"]))
        found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
