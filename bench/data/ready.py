"""A dataset made ready: found or downloaded, checked, converted, split. All that a plan needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bench.cards import DatasetCard
from bench.contract import Copy, Dataset
from bench.data.checks import check_text
from bench.data.hashed import HashedIds, hashed_book
from bench.data.ids import open_ids
from bench.data.obtain import find_copy
from bench.data.places import cache_folder, download_folder, store_folder
from bench.data.prepare import prepare
from bench.data.splits import Drawn, SplitBook, book_names, load_book, open_book, resolve
from bench.data.splits.book import content_hash
from bench.data.store import Store
from bench.errors import RequestError
from bench.protocol import UNLABELLED
from bench.registry import Found, Registry, make_options, source_hash


@dataclass(frozen=True)
class Ready:
    """One prepared copy. `name` is what the board calls it; `skipped` are bad cases left out;
    `drawn` is the file of a split that is our rule's own, None for a committed one; `root` is the
    folder with the user's files, None for a generated dataset."""

    store: Store
    book: SplitBook
    name: str
    modality: str
    classes: tuple[str, ...]
    spacing: Literal["file", "card", "unknown"]
    drawn: Path | None = None
    root: Path | None = None

    @property
    def fingerprint(self) -> str:
        return self.store.manifest.fingerprint

    @property
    def skipped(self) -> tuple[str, ...]:
        return tuple(f"{case}: {reason}" for case, reason in self.store.manifest.skipped)

    def resolve(self, draw: str, shots: str, *, probe_patients: int) -> Drawn:
        """The cases of a draw on this copy."""
        present: dict[str, list[str]] = {}
        for case in self.store.manifest.cases:
            present.setdefault(case.patient, []).append(case.case)
        return resolve(
            self.book,
            draw=draw,
            shots=shots,
            present=present,
            foreground={c.case: c.foreground for c in self.store.manifest.cases},
            probe_patients=probe_patients,
        )

    def training(self) -> tuple[str, ...]:
        """Cases of the default split's training patients, sorted: what this copy gives to a pool.
        Patients that it tests, or looks at, or does not know are not among them."""
        train = set(self.book.splits[self.book.default].train)
        return tuple(sorted(c.case for c in self.store.manifest.cases if c.patient in train))

    def split_hash(self, split: str) -> str:
        """Hash of a split's parts: units of one table share it, whatever their draws."""
        chosen = self.book.splits[split]
        return content_hash({"train": chosen.train, "val": chosen.val, "test": sorted(chosen.test)})

    def slices_of(self, drawn: Drawn) -> int:
        """Labelled slices of a support."""
        depth = {case.case: case.shape[0] for case in self.store.manifest.cases}
        return sum(depth[s.case] if s.slices is None else len(s.slices) for s in drawn.support)


def make_ready(
    registry: Registry, name: str, options: Mapping[str, Any], data: Mapping[str, Any]
) -> Ready:
    """`options`: overrides of the dataset's own; `data`: the request's `data` group."""
    found, card = registry.dataset(name)
    cache = cache_folder(data["cache"])
    values = make_options(found, options)
    given = getattr(values, "root", None) or data["root"]
    root = Path(str(given)).expanduser() if given else None
    if root is not None and not root.is_dir():
        raise RequestError(f"{name}: there is no folder {root}; say where your copy is")
    dataset, copy = find_copy(found, card, values, root, download_folder(cache, name))
    facts = _facts(dataset, card, name)
    folder = store_folder(cache, facts.name, _copy_key(copy, vars(values)))
    committed = committed_book(found, card)
    arguments: dict[str, Any] = {
        "name": facts.name,
        "classes": facts.classes,
        "layouts": card.layouts,
        "spacing": card.spacing,
        "recipe": {
            "options": {key: value for key, value in vars(values).items() if key != "root"},
            "source": source_hash(found.folder),
        },
        "partial": bool(data["partial"]),
        "skip_bad": bool(data["skip_bad"]),
        "progress": True,
    }
    if data.get("hash_ids", False):
        if committed is not None:
            raise RequestError(
                f"{name}: data.hash_ids=true is for volumes of your own; the ids of {name} are "
                "published, and its split names them: leave it out"
            )
        book, store = _prepared_hashed(dataset, copy, card, folder, arguments)
    else:
        check_text(copy.sources)
        book = committed or _own_book(card, facts.name, copy, folder)
        expected = card.cases if committed is None else committed.splits[committed.default].patients
        store = prepare(dataset, folder=folder, expected=expected, **arguments)
    return Ready(
        store=store,
        book=book,
        name=store.manifest.copy,
        modality=facts.modality,
        classes=facts.classes,
        spacing=store.manifest.spacing,
        drawn=_beside(card, copy, folder, "split") if committed is None else None,
        root=copy.root,
    )


@dataclass(frozen=True)
class _Facts:
    """From the card, or from the copy where the card leaves it to the user's own folder."""

    name: str
    classes: tuple[str, ...]
    modality: str


def _facts(dataset: Any, card: DatasetCard, name: str) -> _Facts:
    own = dataset.facts() if hasattr(dataset, "facts") else {}
    classes = own.get("classes", card.classes)
    if not classes:
        raise RequestError(f"{name}: neither its card nor its copy names the classes")
    if len(classes) >= UNLABELLED:
        raise RequestError(
            f"{name}: {len(classes)} classes; a label map of bytes tells {UNLABELLED - 1} apart"
        )
    return _Facts(
        name=own.get("name", name),
        classes=tuple(classes),
        modality=own.get("modality", card.modality),
    )


def _copy_key(copy: Copy, options: Mapping[str, Any]) -> str:
    """Names the store's folder: where the copy lies, its layout, and the dataset's options."""
    root = "" if copy.root is None else str(copy.root.resolve())
    kept = {key: value for key, value in options.items() if key != "root"}
    return content_hash({"root": root, "layout": copy.layout, "options": kept})[:12]


def committed_book(found: Found, card: DatasetCard) -> SplitBook | None:
    """The splits that are committed beside a dataset's card, if it has some."""
    committed = found.folder / card.split
    if committed.is_file() and found.name in book_names(committed):
        return load_book(committed, found.name)
    return None


def _own_book(card: DatasetCard, name: str, copy: Copy, folder: Path) -> SplitBook:
    """A copy that nobody split before is split by our rule and the book saved. Then only the card's
    number of cases can be asked for."""
    patients = [source.patient for source in copy.sources]
    sites = {source.patient: source.site for source in copy.sources if source.site is not None}
    drawn = _beside(card, copy, folder, "split")
    drawn.parent.mkdir(parents=True, exist_ok=True)
    return open_book(drawn, name, patients, sites)


def _beside(card: DatasetCard, copy: Copy, folder: Path, what: str) -> Path:
    """What stays with a copy: in the user's own folder where the card leaves the classes to it,
    else beside the store."""
    if copy.root is not None and card.classes is None:
        return copy.root / f"sambench_{what}.json"
    return folder.with_name(f"{folder.name}-{what}.json")


def _prepared_hashed(
    dataset: Dataset, copy: Copy, card: DatasetCard, folder: Path, arguments: Mapping[str, Any]
) -> tuple[SplitBook, Store]:
    """As without hashing, with the same patients in every part; no clear id leaves this."""
    place = _beside(card, copy, folder, "ids")
    place.parent.mkdir(parents=True, exist_ok=True)
    ids = open_ids(place, (name for s in copy.sources for name in (s.case, s.patient)))
    hidden = HashedIds(dataset, copy, ids)
    with hidden.cleaned():
        check_text(copy.sources)
    try:
        clear = _own_book(card, arguments["name"], copy, folder)
    except RequestError:
        raise RequestError(
            f"{_beside(card, copy, folder, 'split')} can't be used, and the reason names patients: "
            "leave data.hash_ids=true out once to see it"
        ) from None
    with hidden.cleaned():
        store = prepare(
            hidden,
            folder=folder.with_name(f"{folder.name}-{ids.fingerprint}"),
            expected=card.cases,
            hashed=True,
            **arguments,
        )
    return hashed_book(clear, ids), store
