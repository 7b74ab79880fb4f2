"""What one check says of one record: a problem, a mark, or why it could not look."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.board.text import plain
from bench.record.schema import Record

CHECKS = {
    "place": "the file's place and its key's form; no key twice; no file outside the results",
    "scores": "scores from the counts, empty masks, convergence and prediction time",
    "cases": "support, probe and test apart, each test case scored once, draws nested",
    "clock": "seconds and steps against the budget, the phases, the curve and the wall time",
    "account": "the worker's seconds against the clock's; CPU time while the clock stood",
    "isolation": "whether the method's process was confined",
    "machine": "the machine's fingerprint from its facts; one fingerprint for a copy's name",
    "budget": "the named budget's numbers",
    "split": "classes, the split's hash, test patients and draw, by the committed files",
    "block": "checkpoints and the block that they and the method belong into",
    "source": "the method's source is in a commit",
    "card": "title, options and families, by the method's card",
    "key": "the key and the data's fingerprint, worked out again from request and data",
}
"""In the order in which they are listed, with what each looks at."""

State = Literal["fine", "problem", "marked", "not checked"]


@dataclass(frozen=True)
class Finding:
    """Of the check `check`; `text` says what is wrong, what is marked, or why it did not look."""

    check: str
    state: Literal["problem", "marked", "not checked"]
    text: str


@dataclass(frozen=True)
class Looked:
    """A record, or a file that is none (`record` None), and all that was found."""

    path: Path
    record: Record | None
    findings: tuple[Finding, ...]

    def of(self, state: State) -> list[Finding]:
        return [found for found in self.findings if found.state == state]

    def state(self, check: str) -> State:
        """The worst of what the check found."""
        found = {finding.state for finding in self.findings if finding.check == check}
        for state in ("problem", "not checked", "marked"):
            if state in found:
                return state
        return "fine"

    @property
    def refused(self) -> list[str]:
        """A line for each problem."""
        where = "" if self.record is None else f"record {self.path}: "
        return [plain(f"{where}{found.text}") for found in self.of("problem")]


def problems(check: str, texts: Iterable[str]) -> list[Finding]:
    return [Finding(check, "problem", text) for text in texts]


def marked(check: str, text: str) -> Finding:
    return Finding(check, "marked", text)


def not_checked(check: str, reason: str) -> Finding:
    return Finding(check, "not checked", reason)
