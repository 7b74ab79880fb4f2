"""What comes of each method in this folder: the tests hold it, docs/cheating.md shows it.

python -m tests.cheats.fates        prints the table of that page
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.registry import discover

Kind = Literal["guess", "charged", "refused", "free"]

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Fate:
    """kind  guess: it finds nothing, its scores are those of the honest guess
          charged: its seconds are on the clock; with a line: or the unit fails with that, where
          the machine is quiet enough to tell
          refused: the unit fails
          free: not prevented
    line  the reason of a refused unit, `#` for a number; `other` where it was there first
    """

    kind: Kind
    line: str = ""
    other: str = ""

    def matches(self, reason: str | None) -> bool:
        patterns = [
            re.escape(line).replace(r"\#", r"[\d.]+") for line in (self.line, self.other) if line
        ]
        return reason is not None and any(re.fullmatch(text, reason) for text in patterns)


def refused(line: str, *, other: str = "") -> Fate:
    return Fate("refused", line, other)


GUESS, CHARGED, FREE = Fate("guess"), Fate("charged"), Fate("free")

GENERATOR = "TypeError: adapt returned {}, not a generator; write `yield Progress(...)` in it"
NO_FILE = "its process left no out/prediction.npy to be used"
CLOCK = "its process counted # s of adaptation, the harness # s: a method must not change the clock"
PROBE = (
    "predicting for the probe took # s of CPU, as many voxels of the test set # s: nothing may "
    "learn while the method predicts"
)
STATE = "state_dict took # s of CPU, and # s when it was asked again: work belongs into adapt"

STEALS: Mapping[str, Fate] = {
    "everything": GUESS,
    "siblings": GUESS,
    "cache": GUESS,
    "data_root": GUESS,
    "descriptors": GUESS,
    "processes": GUESS,
    "memory_file": GUESS,
    "memory_call": GUESS,
    "memory_ptrace": GUESS,
    "environment": GUESS,
    "tcp": GUESS,
    "abstract_socket": GUESS,
    "objects": GUESS,
    "harness": GUESS,
    "link": refused(f"{NO_FILE}: it is a link"),
    "records": GUESS,
    "predictions": GUESS,
    "embedding": GUESS,
    "udp": FREE,
    "unix_socket": FREE,
    "shared_memory": FREE,
}
HIDES: Mapping[str, Fate] = {
    "nothing": CHARGED,
    "eager_iterator": refused(GENERATOR.format("list_iterator")),
    "eager_generator": CHARGED,
    "close": CHARGED,
    "thread": refused(PROBE),
    "child": refused(PROBE),
    "orphan": refused(PROBE),
    "frozen_clock": refused(CLOCK),
    "slow_clock": Fate("charged", CLOCK),
    "counted": refused(CLOCK),
    "predict": refused(
        "PredictionError: predict changed the method's state (its state_dict after the test set is "
        "not that of before): work on a copy, and keep networks in eval mode"
    ),
    "init": CHARGED,
    "probe": refused(PROBE),
    "state": refused(STATE),
    "no_steps": FREE,
}
COUNT = (
    "the method yielded Progress({}); {} is a whole number of 0 or more, the count since the last"
)
BREAKS: Mapping[str, Fate] = {
    "shape": refused(
        "PredictionError: predict(c#) has shape (2, 8, 8); the volume's own grid is (3, 8, 8)"
    ),
    "nan": refused("PredictionError: predict(c#) has dtype float64; labels are uint8"),
    "dtype": refused("PredictionError: predict(c#) has dtype int64; labels are uint8"),
    "value": refused("PredictionError: predict(c#) holds label 7; there are 1 classes"),
    "list": refused("PredictionError: predict(c#) returned list, not a numpy array"),
    "oversized": refused(f"{NO_FILE}: it has # bytes, # are the most"),
    "fifo": refused(f"{NO_FILE}: it is no plain file"),
    "exit": refused("its process ended with code 0 and left no record"),
    "segfault": refused("its process was ended by SIGSEGV"),
    "kills_parent": refused("PermissionError: [Errno 1] Operation not permitted"),
    "interrupts": refused("the method raised KeyboardInterrupt"),
    "fork_bomb": refused("it started # processes; 256 are allowed"),
    "disk": refused(
        "its # GiB of temporary files filled the disk",
        other="OSError: [Errno #] No space left on device",
    ),
    "escapes": refused("RuntimeError: ?[31mred?[0m ? ? end"),
    "returns_none": refused(GENERATOR.format("NoneType")),
    "returns_list": refused(GENERATOR.format("list_iterator")),
    "yields_text": refused("TypeError: a method yields Progress, not str"),
    "negative": refused(COUNT.format("steps=-1", "steps") + " yield"),
    "huge": refused(COUNT.format(f"samples={10**30}", "samples") + " yield"),
    "state": refused("TypeError: state_dict: whole is ObjectState; only tensors and numpy arrays"),
    "garbage": refused("its process closed the line to the harness"),
    "answers": refused("its process answered the harness in a wrong way: it said no 'worked'"),
    "slow_predict": refused(
        "predict took longer than # s for one volume (the limit of this data set; "
        "predict_limit=SECONDS sets another)"
    ),
    "hang_predict": refused("predict did not end within the # s of the check (check.limit)"),
    "hang_adapt": refused("a step did not end within the # s of the check (check.limit)"),
}
FATES: Mapping[str, Fate] = {
    f"{folder}_{name}": fate
    for folder, fates in (("steals", STEALS), ("hides", HIDES), ("breaks", BREAKS))
    for name, fate in fates.items()
}
SAYS = {
    "guess": "finds nothing: scores like the guess",
    "charged": "is charged for it",
    "free": "**not prevented**",
}


def quoted(line: str) -> str:
    quote = "``" if "`" in line else "`"
    return f"{quote}{line}{quote}"


def table() -> str:
    """The methods with what they do, from their cards, and what comes of it."""
    registry = discover([HERE])
    rows = ["| method | what it does | what comes of it |", "| --- | --- | --- |"]
    for name, fate in FATES.items():
        _, card = registry.method(name)
        does = card.summary.removesuffix(".")
        said = [quoted(line) for line in (fate.line, fate.other) if line]
        comes = ", or ".join(filter(None, (SAYS.get(fate.kind), *said)))
        rows.append(f"| `{name}` | {does} | {comes} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
