"""python -m bench predict record=KEY IMAGE out=FILE [results=DIR] [device=cpu] [data.cache=DIR]

Labels a new image with the method that a unit adapted. The unit must have kept its state: run it
with keep=state. The label map comes back on the image's own grid. data.cache=DIR says where the
checkpoints lie, as for run.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from bench.cli.words import read_words
from bench.device import resolve_device
from bench.errors import RequestError, reason_of
from bench.record.schema import Record
from bench.record.store import find_record, read_record
from bench.registry import discover, load, make_options

KEYS = ("record", "out", "results", "device", "data.cache")


def main(arguments: Sequence[str], include: tuple[Path, ...]) -> int:
    words = read_words(arguments, keys=KEYS)
    if "record" not in words.keys or "out" not in words.keys or len(words.plain) != 1:
        raise RequestError("say predict record=KEY IMAGE out=FILE; `ls records` shows the keys")
    image, out = Path(words.plain[0]).expanduser(), Path(words.keys["out"]).expanduser()
    if not image.is_file():
        raise RequestError(f"{image}: there is no such file")
    results = words.results()
    record = read_record(find_record(results, words.keys["record"]))
    cache = words.keys.get("data.cache")
    state_file = kept_state(record, results, cache, include)
    device = resolve_device(words.keys.get("device", "auto"))

    from bench.contract import Volume
    from bench.data.checks import check_image
    from bench.data.convert import canonical_image
    from bench.data.readers import read_image, write_label
    from bench.unit.handover import setting_facts
    from bench.unit.predicting import checked
    from bench.unit.rng import RandomStream, prediction_stream
    from bench.unit.state import load_state
    from bench.worker.session import setting_from

    found, card = discover(include).method(record.request.method)
    if card.needs_test_label:
        raise RequestError(
            f"record {record.key}: {record.request.method} is prompted from the reference label, "
            "which a new image does not have; predict with a record of another method"
        )
    # A stranger's record: the card says what the options may be.
    options = make_options(found, record.request.options)
    setting = setting_from(setting_facts(record.request, record.data, device=device, cache=cache))
    # Both streams are those of the unit: chance decides what it decided there.
    with RandomStream(setting.seed).use():
        method = load(found)(options, setting)
        try:
            method.load_state_dict(load_state(state_file))
        except RequestError:
            raise
        except Exception as error:  # whatever a method makes of tensors that are not its own
            raise RequestError(
                f"the state of record {record.key} does not fit {record.request.method}: "
                f"{reason_of(error)}"
            ) from None
    raw = read_image(image)
    check_image(image.name, raw.array)
    voxels = canonical_image(raw.array)  # as the volume store would hold it
    volume = Volume(
        case=image.name,
        patient=image.name,
        image=voxels,
        spacing=raw.spacing or (1.0, 1.0, 1.0),
    )
    with prediction_stream(setting.seed).use():
        prediction = method.predict(volume)
    label = checked(prediction, volume, len(record.data.classes))
    write_label(out, label, like=image)
    for value, name in enumerate(record.data.classes, start=1):
        print(f"{name:<20}{int((label == value).sum()):>10} voxels (label {value})")
    print(f"wrote {out}")
    return 0


def kept_state(
    record: Record, results: Path, cache: str | None = None, include: Sequence[Path] = ()
) -> Path:
    """The state that the unit kept, or an error that says how to make it keep one."""
    if record.status != "done":
        raise RequestError(f"record {record.key} failed: {record.reason}; there is nothing to load")
    path = results / record.files.state if record.files.state else None
    if path is not None and not path.resolve().is_relative_to(results.resolve()):
        raise RequestError(
            f"record {record.key}: files.state {record.files.state!r} leaves the results folder; "
            "correct the record"
        )
    if path is None or not path.is_file():
        raise RequestError(
            f"record {record.key} kept no state; run it once more (and say data.root=DIR where its "
            f"data are a copy of your own) with: {command_again(record, results, cache, include)}"
        )
    return path


def command_again(record: Record, results: Path, cache: str | None, include: Sequence[Path]) -> str:
    """Makes the record anew; the unit keeps its state beside what it kept before."""
    from bench.board.recipe import value_word, words_of

    request = record.request
    words = [
        *words_of(record),
        f"shots={value_word(request.shots)}",
        f"draw={value_word(request.draw)}",
        f"seed={request.seed}",
        f"results={folder_word(results)}",
        *([] if cache is None else [f"data.cache={folder_word(Path(cache))}"]),
        f"keep={'predictions,' if record.files.predictions else ''}state",
        "rerun=all",
        *(word for folder in include for word in ("--include", str(folder))),
    ]
    return shlex.join(["python", "-m", "bench", "run", *words])


def folder_word(folder: Path) -> str:
    """Without quotes where it can be: Hydra takes what begins with a slash or dots as it is."""
    from bench.board.recipe import BARE, value_word

    text = str(folder)
    return text if BARE.fullmatch(text.lstrip("./")) else value_word(text)
