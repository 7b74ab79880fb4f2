"""python -m bench board [results=DIR] [leaderboard=FILE]
python -m bench board --check    compare with what is there, write nothing; exit 1 on a difference
python -m bench board verify [--json | --csv] [keys=DATASETS] [data.root=DIR] [data.cache=DIR]
python -m bench board claims [claims=FILE]    what the records say of the papers' headlines
python -m bench board rescore [data.root=DIR] [data.cache=DIR]

Makes tables, figures and leaderboard.md from the records, and nothing but the records. `claims`
judges what methods/claims.yaml says: supported, contradicted, undecided or not run; records of nano
backbones decide nothing. `verify` holds every record against itself, the committed cards and
splits, and the commits of its method, and says what of each was looked at and what was not; of the
datasets in `keys`, whose copies are here, it works out every key again. --json and --csv list every
record. Exit code 1 if it refuses one. `rescore` computes the scores again from kept
predictions and says where they differ from the record.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.cli.words import Words, read_words
from bench.errors import RequestError

KEYS = ("results", "leaderboard", "claims", "keys", "data.root", "data.cache")
PARTS = "only `board`, `board claims`, `board verify` and `board rescore`"


def main(arguments: Sequence[str], include: tuple[Path, ...]) -> int:
    words = read_words(arguments, keys=KEYS, flags=["--check", "--json", "--csv"])
    listing = words.flags & {"--json", "--csv"}
    if listing and words.plain != ("verify",):
        raise RequestError(f"{' '.join(sorted(listing))}: only `board verify` lists records")
    if len(listing) > 1:
        raise RequestError("--csv --json: one of them")
    if words.plain == ("rescore",):
        return rescore(words, include)
    if words.plain == ("verify",):
        return verify(words, include)
    if words.plain == ("claims",):
        return claims(words, include)
    if words.plain:
        raise RequestError(f"board {' '.join(words.plain)}: {PARTS}")
    results = words.results()
    page = leaderboard_of(words, results)
    if "--check" in words.flags:
        return check(results, page)
    from bench.board import build, terminal

    summary = build(results, leaderboard=page)
    Console().print(terminal(summary.units))
    print(
        f"{summary.records} records ({summary.failed} failed), {summary.tables} tables; "
        f"{len(summary.changed)} of {len(summary.files)} files changed; see {page}"
    )
    return 0


def leaderboard_of(words: Words, results: Path) -> Path:
    """The project's page for the committed results; another results folder has its own inside."""
    given = words.keys.get("leaderboard")
    if given is not None:
        return Path(given).expanduser()
    return Path("leaderboard.md") if results == Path("results") else results / "leaderboard.md"


def check(results: Path, page: Path) -> int:
    from bench.board import check as differences

    found = differences(results, page)
    for line in found:
        print(line)
    if found:
        print("not what the records give: run `python -m bench board` and commit what it writes")
        return 1
    print("tables, figures and leaderboard are what the records give")
    return 0


def verify(words: Words, include: tuple[Path, ...]) -> int:
    from bench.errors import unknown
    from bench.registry import discover
    from bench.verify import verify as verified
    from bench.verify.listing import as_csv, lines, reasons, rows

    registry = discover(include)
    keys = [name for name in words.keys.get("keys", "").split(",") if name]
    for name in keys:
        if name not in registry.datasets:
            raise unknown("dataset", name, registry.datasets)
    data = {"root": words.keys.get("data.root"), "cache": words.keys.get("data.cache")}
    found = verified(words.results(), registry, keys=keys, data=data)
    if "--json" in words.flags:
        print(json.dumps(rows(found), indent=1))
    elif "--csv" in words.flags:
        print(as_csv(found), end="")
    else:
        for line in lines(found):
            print(line)
        for line in reasons(found):
            print(f"not checked: {line}")
        for line in found.marked:
            print(f"marked: {line}")
        for line in found.refused:
            print(f"refused: {line}")
        print(
            f"{found.records} records, {found.keys} keys worked out again: "
            f"{len(found.refused)} problems, {len(found.marked)} marked"
        )
    return 1 if found.refused else 0


def claims(words: Words, include: tuple[Path, ...]) -> int:
    from bench.board.claimfile import parse_claims
    from bench.board.claims import judge
    from bench.board.claimtext import claim_lines
    from bench.board.reading import read_units
    from bench.board.tables import tables_of
    from bench.cards import read_yaml
    from bench.registry import ROOT, discover

    file = words.folder("claims", str(ROOT / "methods" / "claims.yaml"))
    methods = discover(include).methods
    options = {
        name: list(found.card.options) for name, found in methods.items() if found.card is not None
    }
    found = parse_claims(file, read_yaml(file), options)
    tables = tables_of(read_units(words.results()))
    for line in claim_lines(judge(found, tables, list(methods))):
        print(line)
    return 0


def rescore(words: Words, include: tuple[Path, ...]) -> int:
    import numpy as np

    from bench.board import rescore as recompute
    from bench.data.ids import is_hashed
    from bench.data.ready import Ready, make_ready
    from bench.registry import discover

    registry = discover(include)
    data = {
        "root": words.keys.get("data.root"),
        "cache": words.keys.get("data.cache"),
        "partial": True,  # the cases that a record names must be there; others need not
        "skip_bad": False,
    }
    copies: dict[tuple[str, bool], Ready] = {}

    def labels(dataset: str, case: str) -> np.ndarray:
        place = (dataset, is_hashed(case))
        if place not in copies:
            copies[place] = make_ready(registry, dataset, {}, {**data, "hash_ids": place[1]})
        label = copies[place].store.volume(case, with_label=True).label
        assert label is not None
        return label

    report = recompute(words.results(), labels)
    for difference in report.differences:
        print(difference)
    print(
        f"{report.cases} cases of {report.records} records rescored, "
        f"{len(report.differences)} scores differ; {len(report.without)} records kept none"
    )
    return 1 if report.differences else 0
