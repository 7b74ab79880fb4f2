"""python -m bench diff KEY KEY [results=DIR]

What differs between two records before anyone argues about methods: protocol, method, options,
labels, budget, backbone, data, split, versions, machine. Says whether one table may hold both.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.cli.words import read_words
from bench.errors import RequestError


def main(arguments: Sequence[str], include: tuple[Path, ...]) -> int:
    words = read_words(arguments, keys=["results"])
    if len(words.plain) != 2:
        raise RequestError("say which records: diff KEY KEY (see `ls records`)")

    from bench.board.differing import difference_lines
    from bench.record.store import find_record, read_record

    results = words.results()
    first, second = (read_record(find_record(results, key)) for key in words.plain)
    print("\n".join(difference_lines(first, second)))
    return 0
