"""Pairs the label maps of two folders by their file names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from bench.data.readers import stem_of, suffix_of
from bench.errors import RequestError

BODIES = (".raw", ".zraw")
"""Voxels of a .mhd or .nhdr header; alone they say no shape."""
NAMED = 10
"""Missing cases that a message names."""


def pair_files(
    prediction: str | os.PathLike[str], reference: str | os.PathLike[str]
) -> dict[str, tuple[Path, Path]]:
    """Case -> (file of the prediction, file of the reference), sorted by case.

    A case is a file's name without its suffix, so that case07.npz pairs with case07.nii.gz. Files
    of other formats, such as dataset.json, and hidden files are no cases.
    """
    predicted, referenced = (
        _cases(which, Path(folder).expanduser())
        for which, folder in (("prediction", prediction), ("reference", reference))
    )
    problems = [
        f"no {which} for {_named(other.keys() - these.keys())}"
        for which, these, other in (
            ("prediction", predicted, referenced),
            ("reference", referenced, predicted),
        )
        if other.keys() - these.keys()
    ]
    if problems:
        raise RequestError(
            f"{'; '.join(problems)}: each case needs a file of one name in both folders; nothing "
            "was scored"
        )
    return {case: (predicted[case], referenced[case]) for case in sorted(predicted)}


def _cases(which: str, folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise RequestError(f"{which} {folder}: there is no such folder")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or suffix_of(path) in ("", *BODIES):
            continue
        case = stem_of(path)
        if case in found:
            raise RequestError(
                f"{which} {folder} has two files of case {case}: {found[case].name} and "
                f"{path.name}; remove one"
            )
        found[case] = path
    if not found:
        raise RequestError(f"{which} {folder}: no file of a format that is read lies in it")
    return found


def _named(cases: Iterable[str]) -> str:
    names = sorted(cases)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
