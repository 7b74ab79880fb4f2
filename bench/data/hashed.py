"""`data.hash_ids=true`: a copy whose cases and patients go by hashed names.

What is printed, recorded, logged or reported comes after this: the splits are mapped, the store
holds hashed names, and an error that names a file or an id of the copy is rewritten on its way out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from bench.contract import Copy, Dataset, RawCase, Source
from bench.data.convert import read_case
from bench.data.ids import Ids
from bench.data.splits import Draw, Split, SplitBook
from bench.errors import DataError, RequestError, one_line

A_FILE = "a file of it"


class HashedIds:
    """A dataset as everyone but its own reader sees it."""

    def __init__(self, dataset: Dataset, copy: Copy, ids: Ids) -> None:
        self._dataset, self._ids, self._copy = dataset, ids, copy
        self._clear = {ids.of(source.case): source for source in copy.sources}

    def find(self) -> Copy:
        return replace(self._copy, sources=tuple(map(self._hashed, self._copy.sources)))

    def read(self, source: Source) -> RawCase:
        try:
            return read_case(self._dataset, self._clear[source.case])
        except DataError as error:
            raise DataError(source.case, self.clean(error.problem)) from None

    def _hashed(self, source: Source) -> Source:
        return replace(source, case=self._ids.of(source.case), patient=self._ids.of(source.patient))

    @contextmanager
    def cleaned(self) -> Iterator[None]:
        """Errors of the block, without a clear name. The chain is cut: it would hold them, too."""
        try:
            yield
        except RequestError as error:
            raise RequestError(self.clean(str(error))) from None

    def clean(self, text: str) -> str:
        """`text` with every file and every id of the copy replaced."""
        found, names = self._names
        text = found.sub(lambda match: names[match.group()], text)
        return _without_paths(text, self._copy.root)

    @cached_property
    def _files(self) -> Mapping[str, set[str]]:
        """A file's path, its name and the name's first part -> cases that have such a file."""
        cases: dict[str, set[str]] = {}
        for source in self._copy.sources:
            for path in source.files:
                for clear in (str(path), path.name, path.name.partition(".")[0]):
                    cases.setdefault(clear, set()).add(source.case)
        return cases

    @cached_property
    def _names(self) -> tuple[re.Pattern[str], Mapping[str, str]]:
        """What may stand in an error -> what stands there instead; longer ones are tried first. An
        id that is a plain number is also replaced where it is none: nobody can tell."""
        names: dict[str, str] = {}
        for source in self._copy.sources:
            for clear in (source.case, source.patient):
                names |= dict.fromkeys(_spellings(clear), self._ids.of(clear))
        for clear, cases in self._files.items():
            if (
                len(cases) == 1 and clear not in names
            ):  # several cases' `image.nii.gz` tells nothing
                names |= dict.fromkeys(_spellings(clear), A_FILE)
        longest = sorted(names, key=len, reverse=True)
        pattern = "|".join(map(re.escape, longest))
        return re.compile(rf"(?<![^\W_])(?:{pattern})(?![^\W_])"), names


def _spellings(name: str) -> Iterable[str]:
    """As it is, as an error shows it, and as Python quotes it."""
    return {name, one_line(name), repr(name)[1:-1]} - {""}


def hashed_book(book: SplitBook, ids: Ids) -> SplitBook:
    """The same patients in the same parts, in the same orders."""
    of = ids.of
    return replace(
        book,
        splits={
            name: Split(
                name=name,
                source=split.source,
                train=tuple(map(of, split.train)),
                val=tuple(map(of, split.val)),
                test=tuple(map(of, split.test)),
            )
            for name, split in book.splits.items()
        },
        draws={
            name: Draw(
                name=name,
                split=draw.split,
                source=draw.source,
                patients=tuple(map(of, draw.patients)),
                slices=tuple((of(case), index) for case, index in draw.slices),
                foreground=draw.foreground,
            )
            for name, draw in book.draws.items()
        },
        sites={of(patient): site for patient, site in book.sites.items()},
    )


def without_files(problem: str, source: Source, root: Path | None) -> str:
    """What a record says of a bad case that was left out: no path, no file's name."""
    for path in source.files:
        problem = problem.replace(str(path), A_FILE).replace(path.name, A_FILE)
    return _without_paths(problem, root)


def _without_paths(text: str, root: Path | None) -> str:
    """A header may name a file that the copy does not list; a name may hold spaces."""
    if root is None:
        return text
    return re.sub(re.escape(str(root)) + r"/(?:[^;:]*?(?:\.\w+)+\b|\S*)", A_FILE, text)
