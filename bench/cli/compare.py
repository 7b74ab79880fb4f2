"""python -m bench compare A B [score=dice|iou] [results=DIR]

A and B are two methods (or rows, as the tables name them: "NAME lr=0.01"), or two records by their
keys. Paired by patient, with an interval over patients and draws, and what it means in a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.cli.words import read_words
from bench.errors import RequestError, unknown

SCORES = ("dice", "iou")


def main(arguments: Sequence[str], include: tuple[Path, ...]) -> int:
    words = read_words(arguments, keys=["results", "score"])
    if len(words.plain) != 2:
        raise RequestError("say what to compare: two methods, or two records by their keys")
    score = words.keys.get("score", "dice")
    if score not in SCORES:
        raise unknown("score", score, SCORES)
    results = words.results()

    from bench.board.comparing import compare_methods, compare_records, sentences
    from bench.board.reading import read_units
    from bench.board.tables import tables_of
    from bench.record.store import find_record, is_key, read_record

    first, second = words.plain
    tables = tables_of(read_units(results))
    rows = [row for table in tables for row in table.rows]
    named = {row.label for row in rows} | {row.variant.method for row in rows}
    keys = [name not in named and is_key(name) for name in (first, second)]
    if all(keys):
        records = [read_record(find_record(results, key)) for key in (first, second)]
        found = [compare_records(records[0], records[1], score)]
    elif any(keys):
        raise RequestError(f"{first} and {second}: one is a record's key, the other is none")
    else:
        found = compare_methods(tables, first, second, score)
    print("\n".join(sentences(found, score)))
    return 0
