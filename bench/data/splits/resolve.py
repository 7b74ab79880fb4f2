"""A request's draw and shots, made into the cases that a unit uses on the copy that is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from bench.data.splits.book import Draw, Split, SplitBook, content_hash
from bench.data.splits.rule import DRAWS, begin_apart, order_patients, order_slices
from bench.data.splits.shots import Shots, parse_shots
from bench.errors import DataError, RequestError


@dataclass(frozen=True)
class Labelled:
    """A case of the support. slices: the labelled indices along D; None = the whole volume."""

    case: str
    patient: str
    slices: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Drawn:
    """What one unit uses; `split_sha256` is the hash of exactly that.

    support  labelled cases              pool  cases of all training patients that are there
    probe    cases of the probe curve, never in the support; empty where nobody is left for it
    test     cases that are scored
    """

    dataset: str
    split: str
    draw: str
    shots: str
    support: tuple[Labelled, ...]
    pool: tuple[str, ...]
    probe: tuple[str, ...]
    test: tuple[str, ...]
    split_sha256: str = ""


def resolve(
    book: SplitBook,
    *,
    draw: str,
    shots: str,
    present: Mapping[str, Sequence[str]],
    foreground: Mapping[str, Sequence[int]],
    probe_patients: int,
) -> Drawn:
    """The cases of `draw` and `shots` on a copy.

    present         patient -> its cases in this copy; patients outside the split are ignored
    foreground      case -> slices with any class in them; used where shots counts slices
    probe_patients  how many training patients make the probe where the split has no `val`
    """
    chosen, split, wanted = book.draw(draw), book.split_of(draw), parse_shots(shots)
    there = {patient for patient, cases in present.items() if cases}
    # The draw's own patients first, then the rest by our rule: the probe comes from the end.
    rest = order_patients(book.dataset, draw, set(split.train) - set(chosen.patients), book.sites)
    train = [patient for patient in (*chosen.patients, *rest) if patient in there]

    if wanted.unit == "slices" or (wanted.unit == "all" and not chosen.patients):
        reserved = _reserve(train, there, split, probe_patients)
        support = _slice_support(book, chosen, wanted, train, reserved, present, foreground)
    else:
        support = _patient_support(book, chosen, split, wanted, there, present)

    labelled = {entry.patient for entry in support}
    val = [patient for patient in split.val if patient in there]
    left = [patient for patient in train if patient not in labelled]
    probe = val or left[max(0, len(left) - probe_patients) :]
    test = [patient for patient in split.test if patient in there]
    if not test:
        raise RequestError(
            f"no test patient of split {split.name!r} of {book.dataset} is in this copy "
            f"({len(split.test)} are missing)"
        )
    drawn = Drawn(
        dataset=book.dataset,
        split=split.name,
        draw=draw,
        shots=str(wanted),
        support=support,
        pool=_cases(train, present),
        probe=_cases(probe, present),
        test=_cases(test, present),
    )
    return replace(drawn, split_sha256=_hash(drawn))


def _hash(drawn: Drawn) -> str:
    """Names of draw and shots are left out: equal cases mean an equal task."""
    content = asdict(drawn)
    for name in ("draw", "shots", "split_sha256"):
        del content[name]
    return content_hash(content)


def _cases(patients: Iterable[str], present: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    return tuple(case for patient in patients for case in sorted(present[patient]))


def _patient_support(
    book: SplitBook,
    chosen: Draw,
    split: Split,
    wanted: Shots,
    there: set[str],
    present: Mapping[str, Sequence[str]],
) -> tuple[Labelled, ...]:
    """Whole volumes of the draw's first patients that are in this copy, in its order."""
    name = f"draw {chosen.name!r} of {book.dataset}"
    if not chosen.patients:
        raise RequestError(
            f"shots={wanted}: {name} is a list of {len(chosen.slices)} slices; "
            f"ask for shots={len(chosen.slices)}s, fewer slices, or shots=all"
        )
    order = [patient for patient in chosen.patients if patient in there]
    if not order:
        raise RequestError(f"no training patient of {name} is in this copy")
    count = len(order) if wanted.unit == "all" else wanted.patients(len(split.train))
    if count > len(order):
        has = f"{name} has {len(chosen.patients)} training patients"
        here = "" if len(order) == len(chosen.patients) else f", {len(order)} of them in this copy"
        asks = f" asks for {count} patients" if wanted.unit == "percent" else ""
        raise RequestError(f"shots={wanted}{asks}: {has}{here}; ask for at most shots={len(order)}")
    first = _beginning(book, chosen, order, there)
    others = [patient for patient in order if patient != first]
    labelled = {first, *others[: count - 1]}
    return tuple(
        Labelled(case, patient)
        for patient in order
        if patient in labelled
        for case in sorted(present[patient])
    )


def _beginning(book: SplitBook, chosen: Draw, order: Sequence[str], there: set[str]) -> str:
    """The patient of shots=1. Numbered draws differ in it, on a copy with few patients too."""
    if chosen.name not in DRAWS:
        return order[0]  # a published list is kept as it is
    earlier = [
        [patient for patient in book.draws[name].patients if patient in there]
        for name in DRAWS[: DRAWS.index(chosen.name)]
        if name in book.draws
    ]
    return begin_apart([*(one for one in earlier if one), order])[-1]


def _slice_support(
    book: SplitBook,
    chosen: Draw,
    wanted: Shots,
    train: Sequence[str],
    reserved: set[str],
    present: Mapping[str, Sequence[str]],
    foreground: Mapping[str, Sequence[int]],
) -> tuple[Labelled, ...]:
    """Some slices of some volumes: the published list's first, else by our rule."""
    patient_of = {case: patient for patient in train for case in present[patient]}
    if chosen.slices:
        order = [entry for entry in chosen.slices if entry[0] in patient_of]
        if chosen.foreground:
            _check_grid(book, chosen, order, foreground)
    else:
        allowed = set(chosen.patients) - reserved
        order = list(
            order_slices(
                book.dataset,
                chosen.name,
                (
                    (case, int(index))
                    for case, patient in patient_of.items()
                    if patient in allowed
                    for index in foreground[case]
                ),
            )
        )
    count = len(order) if wanted.unit == "all" else int(wanted.amount)
    if not order or count > len(order):
        raise RequestError(
            f"shots={wanted}: draw {chosen.name!r} of {book.dataset} has {len(order)} slices "
            f"to label in this copy" + (f"; ask for at most shots={len(order)}s" if order else "")
        )
    taken: dict[str, list[int]] = {}
    for case, index in order[:count]:
        taken.setdefault(case, []).append(index)
    return tuple(
        Labelled(case, patient_of[case], tuple(sorted(indices))) for case, indices in taken.items()
    )


def _reserve(train: Sequence[str], there: set[str], split: Split, probe_patients: int) -> set[str]:
    """Patients whom a draw of slices leaves to the probe, at most half of them."""
    if there.intersection(split.val):
        return set()
    count = min(probe_patients, len(train) // 2)
    return set(train[len(train) - count :])


def _check_grid(
    book: SplitBook,
    chosen: Draw,
    order: Sequence[tuple[str, int]],
    foreground: Mapping[str, Sequence[int]],
) -> None:
    """A list of foreground slices only fits the grid that it was made on."""
    shown = {case: set(foreground[case]) for case, _ in order}
    for case, index in order:
        if index not in shown[case]:
            raise DataError(
                case,
                f"slice {index} of draw {chosen.name!r} of {book.dataset} shows no class in this "
                "copy, so the published slice list does not fit its grid; ask for patients "
                f"(shots={len(chosen.patients)})",
            )
