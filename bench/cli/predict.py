"""python -m bench predict record=KEY IMAGE out=FILE [results=DIR] [device=cpu]

Labels a new image with the method that a unit adapted. The unit must have kept its state: run it
with keep=state. The label map comes back on the image's own grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.cli.words import read_words
from bench.device import resolve_device
from bench.errors import RequestError, reason_of
from bench.record.schema import Record
from bench.record.store import find_record, read_record
from bench.registry import discover, load, make_options


def main(arguments: Sequence[str], include: tuple[Path, ...]) -> int:
    words = read_words(arguments, keys=["record", "out", "results", "device"])
    if "record" not in words.keys or "out" not in words.keys or len(words.plain) != 1:
        raise RequestError("say predict record=KEY IMAGE out=FILE; `ls records` shows the keys")
    image, out = Path(words.plain[0]).expanduser(), Path(words.keys["out"]).expanduser()
    if not image.is_file():
        raise RequestError(f"{image}: there is no such file")
    results = words.folder("results", "results")
    record = read_record(find_record(results, words.keys["record"]))
    state_file = kept_state(record, results)
    device = resolve_device(words.keys.get("device", "auto"))

    from bench.contract import Setting, Volume
    from bench.data.checks import check_image
    from bench.data.convert import canonical_image
    from bench.data.readers import read_image, write_label
    from bench.unit.predicting import checked
    from bench.unit.state import load_state

    found, _ = discover(include).method(record.request.method)
    # A stranger's record: the card says what the options may be.
    options = make_options(found, record.request.options)
    setting = Setting(
        classes=tuple(record.data.classes),
        modality=record.data.modality,
        device=device,
        seed=record.request.seed,
        backbone=record.request.checkpoints,
    )
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
    label = checked(method.predict(volume), volume, len(record.data.classes))
    write_label(out, label, like=image)
    for value, name in enumerate(record.data.classes, start=1):
        print(f"{name:<20}{int((label == value).sum()):>10} voxels (label {value})")
    print(f"wrote {out}")
    return 0


def kept_state(record: Record, results: Path) -> Path:
    """The state that the unit kept, or an error that says how to make it keep one."""
    request = record.request
    if record.status != "done":
        raise RequestError(f"record {record.key} failed: {record.reason}; there is nothing to load")
    path = results / record.files.state if record.files.state else None
    if path is not None and not path.resolve().is_relative_to(results.resolve()):
        raise RequestError(
            f"record {record.key}: files.state {record.files.state!r} leaves the results folder; "
            "correct the record"
        )
    if path is None or not path.is_file():
        options = "".join(
            f" method.{k}={v}"
            for k, v in record.method.overrides.items()
            if k in record.request.options
        )
        if request.pool != ["own"]:
            options += f" pool={','.join(request.pool)}"
        raise RequestError(
            f"record {record.key} kept no state; run it once more with: python -m bench run "
            f"method={request.method}{options} dataset={request.dataset} shots={request.shots} "
            f"draw={request.draw} budget={request.budget.name} keep=state rerun=all"
        )
    return path
