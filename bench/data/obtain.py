"""A dataset's copy: the user's own, or a download; or a line that says how to get one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from bench.cards import DatasetCard
from bench.contract import Copy, Dataset
from bench.errors import RequestError
from bench.fetch import RemoteFile, download, unpack
from bench.fetch.size import size_text
from bench.registry import Found, load


def find_copy(
    found: Found, card: DatasetCard, values: SimpleNamespace, root: Path | None, downloads: Path
) -> tuple[Dataset, Copy]:
    """The copy under the user's root; without one the suite's own download, made if it can be."""
    places = [root] if root is not None else list(_places(downloads))
    known = _look(found, values, places)
    if known is not None:
        return known
    if root is not None or not card.files:
        raise RequestError(_how_to_get(found.name, card, root or downloads))
    for remote in card.files:
        size = "size not stated" if remote.bytes is None else size_text(remote.bytes)
        print(f"{found.name}: downloading {remote.name} ({size})", flush=True)
        archive = download(
            RemoteFile(
                remote.url,
                bytes=remote.bytes,
                sha256=remote.sha256,
                md5=remote.md5,
                name=remote.name,
            ),
            downloads,
            otherwise=f"or say data.root=DIR if you have {found.name} already",
        )
        if remote.unpack:
            unpack(archive, downloads / archive.name.split(".")[0])
    known = _look(found, values, list(_places(downloads)))
    if known is None:
        raise RequestError(
            f"{found.name}: nothing known is in {downloads} after the download; "
            "delete that folder and run `prepare` again"
        )
    return known


def _places(downloads: Path) -> Iterator[Path]:
    """The download folder, what was unpacked in it, and the single folder that an archive held."""
    yield downloads
    for unpacked in sorted(downloads.glob("[!.]*/")):
        yield unpacked
        yield from sorted(unpacked.glob("[!.]*/"))


def _look(found: Found, values: SimpleNamespace, places: list[Path]) -> tuple[Dataset, Copy] | None:
    for place in places:
        dataset: Dataset = load(found)(values, place)
        copy = dataset.find()
        if copy is not None:
            return dataset, copy
    return None


def _how_to_get(name: str, card: DatasetCard, where: Path) -> str:
    """One line: what was looked for, and what to do."""
    manual = " ".join(card.manual.split())
    if card.files:
        manual = f"leave data.root out to have it downloaded. {manual}"
    return f"{name}: no copy of it in {where}. {manual or card.homepage}".strip()
