"""What a record says of method, data and split, against the committed cards and splits."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from bench.board.recipe import PARTIAL, named
from bench.cards import DatasetCard, MethodCard
from bench.data.splits import SplitBook, book_names, load_book, parse_shots
from bench.data.splits.book import Split, content_hash
from bench.errors import RequestError
from bench.models.checkpoints import checkpoint_cards
from bench.plan import block_of
from bench.record.schema import NO_BACKBONE, Record
from bench.registry import Registry

BUDGET = ("seconds", "steps", "memory_gb", "probes")


def strange_method(record: Record, registry: Registry) -> Iterator[str]:
    """Only for a record made by the method as it is now: an older card may have said otherwise."""
    _, card = registry.method(record.request.method)
    facts, options = record.method, record.request.options
    for name, said, found in (
        ("title", facts.title, card.title),
        ("unlabelled_images", facts.unlabelled_images, card.unlabelled_images),
    ):
        if said != found:
            yield f"method.{name} is {said!r}, the card says {found!r}"
    changed = {name: value for name, value in facts.overrides.items() if name != "pool"}
    expected = {**card.defaults, **changed}
    if set(changed) - set(card.defaults) or options != expected:
        odd = [n for n in {*options, *expected} if options.get(n) != expected.get(n)]
        yield f"options {', '.join(sorted(odd))} are neither the card's nor overrides"
    elif set(card.families(options)) != set(record.request.checkpoints):
        families = ", ".join(card.families(options)) or "none"
        yield f"its checkpoints are of {', '.join(record.request.checkpoints)}; it takes {families}"


def strange_block(record: Record, method: MethodCard, dataset: DatasetCard) -> Iterator[str]:
    checkpoints = record.request.checkpoints
    known = checkpoint_cards()
    for family, name in checkpoints.items():
        if name not in known.get(family, {}):
            yield f"there is no {family} checkpoint {name}"
            return
    block = block_of(method, dataset, checkpoints)
    if record.method.block != block:
        yield f"method.block is {record.method.block}, it belongs into {block}"
    if bool(checkpoints) == (record.request.backbone == NO_BACKBONE):
        yield f"backbone {record.request.backbone} does not go with its checkpoints"


def strange_budget(record: Record) -> Iterator[str]:
    """A named budget has its numbers; a changed one says what was changed in its name."""
    budget = record.request.budget
    base, *changes = budget.name.split("+")
    known = named("budget", base)
    if not known:
        yield f"there is no budget {base}"
        return
    expected = {**{name: known.get(name) for name in BUDGET}}
    for change in changes:
        name, _, value = change.partition("=")
        if name in BUDGET:
            expected[name] = None if value == "null" else float(value)
    for name in BUDGET:
        if getattr(budget, name) != expected[name]:
            yield f"budget.{name} is {getattr(budget, name)}, {budget.name} has {expected[name]}"


def strange_data(record: Record, registry: Registry) -> Iterator[str]:
    found, card = registry.dataset(record.request.dataset)
    data = record.data
    if card.classes is None:
        yield "its data are a user's own: nobody else can run it again"
        return
    if (data.classes, data.modality) != (list(card.classes), card.modality):
        yield "data.classes or data.modality is not what the card says"
    book = _book(found.folder / card.split, found.name)
    if book is None:
        yield f"no committed split of {found.name}"
        return
    split = book.splits.get(data.split)
    if split is None:
        yield f"there is no split {data.split} of {found.name}"
        return
    if data.split_sha256 != _split_hash(split):
        yield f"data.split_sha256 is not that of the committed split {data.split}"
    yield from _patients(record, book)
    yield from _pools(record, registry)


def _pools(record: Record, registry: Registry) -> Iterator[str]:
    """Of other datasets in the pool: their splits are committed, too."""
    for pool in record.data.pools:
        if pool.dataset not in registry.datasets:
            yield f"there is no dataset {pool.dataset} in this repository, and it is in the pool"
            continue
        found, card = registry.dataset(pool.dataset)
        book = _book(found.folder / card.split, found.name)
        hashes = {_split_hash(split) for split in book.splits.values()} if book else set()
        if hashes and pool.split_sha256 not in hashes:
            yield f"the pool's split_sha256 of {pool.dataset} is not that of a committed split"


def _split_hash(split: Split) -> str:
    return content_hash({"train": split.train, "val": split.val, "test": sorted(split.test)})


def _patients(record: Record, book: SplitBook) -> Iterator[str]:
    data, request = record.data, record.request
    split = book.splits[data.split]
    tested = {case.patient for case in record.cases}
    strangers = sorted(tested - set(split.test))
    if strangers:
        yield f"patient {', '.join(strangers[:5])} is no test patient of split {data.split}"
    whole = not PARTIAL.search(data.name) and not data.skipped
    if whole and record.status == "done" and tested != set(split.test):
        gone = sorted(set(split.test) - tested)
        yield f"test patient {', '.join(gone[:5])} is not scored, and the copy is a whole one"
    draw = book.draws.get(request.draw)
    if draw is None or draw.split != data.split:
        yield f"there is no draw {request.draw} of split {data.split}"
        return
    if not set(data.support) <= set(split.patients):
        return  # cases are not called as their patients: only the data itself can tell
    allowed = [patient for patient in draw.patients if patient in set(data.support)]
    if draw.patients and data.support != allowed:
        yield f"its support is not in the order of draw {request.draw}"
    shots = parse_shots(request.shots)
    if whole and draw.patients and shots.unit in ("patients", "percent"):
        count = shots.patients(len(split.train))
        if data.support != list(draw.patients[:count]):
            yield f"its support is not the first {count} of draw {request.draw}"


@cache
def _book(path: Path, dataset: str) -> SplitBook | None:
    try:
        return load_book(path, dataset) if dataset in book_names(path) else None
    except RequestError:
        return None
