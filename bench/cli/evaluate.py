"""python -m bench evaluate PRED REF [spacing=Z,Y,X] [classes=A,B] [out=FILE.csv]

Scores of any two label maps, without a run: two files of any format that the suite reads, or a
folder of each, paired by file name; a case that one of them lacks is named, and nothing is scored.
A row a class: dice, iou, hd95, assd, nsd, voxels hit (tp), drawn too much (fp) and missed (fn).

spacing   mm along each axis, where the files do not say it; said nowhere, distances are in voxels
classes   names of the labels 1, 2, ...; or label values: classes=1,4. All that are found without it
out       the same rows as a CSV file
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.words import read_words
from bench.errors import RequestError, one_line

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("spacing", "classes", "out")


def main(arguments: Sequence[str], include: tuple[Path, ...]) -> int:
    words = read_words(arguments, keys=KEYS)
    if len(words.plain) != 2:
        raise RequestError("say evaluate PRED REF: two label maps, or a folder of each")
    prediction, reference = (Path(word).expanduser() for word in words.plain)
    if prediction.is_dir() != reference.is_dir() and prediction.exists() and reference.exists():
        raise RequestError(f"{prediction} and {reference}: one is a folder, the other a file")
    spacing = _spacing(words.keys["spacing"]) if "spacing" in words.keys else None
    classes = _classes(words.keys["classes"]) if "classes" in words.keys else None
    out = _csv_path(words.keys["out"]) if "out" in words.keys else None

    from bench.api.evaluation import evaluate, evaluate_folders
    from bench.record.whole import whole

    score = evaluate_folders if prediction.is_dir() else evaluate
    frame = score(prediction, reference, spacing, classes)
    print(as_text(frame))
    if out is not None:
        with whole(out) as scratch:
            frame.to_csv(scratch, index=False)
        print(f"wrote {out}")
    return 0


def as_text(frame: pd.DataFrame) -> str:
    """The table for a terminal; of a folder the means over cases, too."""
    from bench.api.evaluation import MEASURES
    from bench.protocol import NSD_TOLERANCE_MM

    parts = [_table(frame.drop(columns="spacing_source"))]
    if "case" in frame:
        means = frame.groupby("class", sort=False)[list(MEASURES)].mean().reset_index()
        counts = frame.groupby("class", sort=False)["dice"].count()
        means["cases"] = [int(counts[name]) for name in means["class"]]
        parts.append(f"mean over the cases that have a score:\n{_table(means)}")
    unknown = frame[frame["spacing_source"] == "unknown"]
    if len(unknown):
        where = f" in {unknown['case'].nunique()} cases" if "case" in frame else ""
        parts.append(
            f"spacing unknown{where}: hd95 and assd are in voxels, the tolerance of nsd is "
            f"{NSD_TOLERANCE_MM:g} voxels; say spacing=Z,Y,X for mm"
        )
    return "\n\n".join(parts)


def _table(frame: pd.DataFrame) -> str:
    shown = frame.copy()
    for column in ("case", "class", "empty"):
        if column in shown:  # names of files are other people's text
            shown[column] = [one_line(str(value)) for value in shown[column].astype(object)]
    shown = shown.replace("<NA>", "")
    return shown.to_string(index=False, float_format="{:.4f}".format, na_rep="-")


def _spacing(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise RequestError(f"spacing={text}: give a number for each axis, spacing=Z,Y,X") from None


def _classes(text: str) -> list[str] | list[int]:
    names = text.split(",")
    if not all(names):
        raise RequestError(f"classes={text}: a name is empty")
    digits = [name.isascii() and name.isdigit() for name in names]
    if any(digits) and not all(digits):
        raise RequestError(f"classes={text}: give names alone, or label values alone")
    return [int(name) for name in names] if all(digits) else names


def _csv_path(text: str) -> Path:
    """It must end with .csv, so that a slip of the hand writes over no label map."""
    path = Path(text).expanduser()
    if path.suffix.lower() != ".csv" or path.is_dir():
        raise RequestError(f"out={text}: give the name of a .csv file")
    return path
