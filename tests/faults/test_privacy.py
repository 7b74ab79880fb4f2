"""What leaves a clinic with a results folder: no image, no file's name, and with
`data.hash_ids=true` no id either."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from bench import pool
from bench.cli import entry
from bench.data.ids import open_ids
from bench.data.ready import Ready, make_ready
from bench.errors import RequestError
from bench.record.store import read_records
from bench.registry import discover
from bench.request.compose import compose_demand

PATIENTS = ("MUELLER_ANNA", "O'Brien 1970", "7", "Ærø", "Smith-Jones", "zu Löwe  Wilhelmina")
BROKEN = "Kaputt_Karl"
SPOKEN = (
    "MUELLER",
    "ANNA",
    "Brien",
    "rø",
    "Smith",
    "Jones",
    "Löwe",
    "Wilhelmina",
    "Kaputt",
    "Karl",
)
"""What must not be heard. "7" is not among them: every number holds it."""
SHAPE = (12, 14, 5)


def write(root: Path, name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    label = np.zeros(SHAPE, np.uint8)
    label[3:9, 3 + seed % 4 : 9, 1:4] = 1
    image = rng.normal(size=SHAPE).astype(np.float32)
    nibabel.Nifti1Image(image, np.eye(4)).to_filename(root / "imagesTr" / f"{name}_0000.nii.gz")
    nibabel.Nifti1Image(label, np.eye(4)).to_filename(root / "labelsTr" / f"{name}.nii.gz")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    root = tmp_path / "volumes"
    for name in ("imagesTr", "labelsTr"):
        (root / name).mkdir(parents=True)
    for seed, name in enumerate(PATIENTS):
        write(root, name, seed)
    (root / "dataset.json").write_text('{"name": "ours", "labels": {"background": 0, "gland": 1}}')
    return root


@pytest.fixture
def ready(mine: Path, tmp_path: Path) -> Callable[..., Ready]:
    """ready(hash_ids=True, ...): the prepared copy."""

    def call(**data: Any) -> Ready:
        given = {"root": None, "cache": str(tmp_path / "cache"), "partial": False}
        options = {"root": str(mine), "channel": 0}
        return make_ready(discover(), "folder", options, {**given, "skip_bad": False, **data})

    return call


def clear_names(root: Path) -> dict[str, str]:
    return dict(json.loads((root / "sambench_ids.json").read_bytes())["ids"])


def spoken(text: str) -> list[str]:
    return [name for name in SPOKEN if name.lower() in text.lower()]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def everything(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        yield str(path.relative_to(folder)), path.read_bytes() if path.is_file() else b""


@pytest.mark.parametrize("hashed", [True, False])
def test_nothing_of_the_data_is_in_what_is_written_and_printed(
    mine: Path,
    tmp_path: Path,
    toys: Path,
    hashed: bool,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(mine, BROKEN, 9)
    cut(mine / "imagesTr" / f"{BROKEN}_0000.nii.gz")
    monkeypatch.setenv("PYTHONPATH", str(toys.parents[1]))
    results = tmp_path / "results"
    words = ["method=control_empty,fails", "dataset=folder", f"dataset.root={mine}", "shots=1"]
    words += [
        "executor=local",
        "draw=0",
        "budget=steps-100",
        "budget.steps=2",
        "data.skip_bad=true",
    ]
    words += ["keep=predictions,state", f"data.cache={tmp_path / 'cache'}", "device=cpu"]
    words += ["data.hash_ids=true"] if hashed else []
    assert entry(["run", *words, f"results={results}", "--include", str(toys / "fails")]) == 1

    by_status = {record.status: record for record in read_records(results)}
    done, failed = by_status["done"], by_status["failed"]
    assert done.cases
    assert done.data.name == "folder_ours, 1 bad case left out" + ", hashed ids" * hashed
    assert re.fullmatch(r"\S+: a file of it is cut off in its .*", done.data.skipped[0])
    kept = sorted((results / str(done.files.predictions)).iterdir())
    assert [path.stem for path in kept] == sorted(case.case for case in done.cases)

    at = f"results={results}"
    images = [f"data.root={mine}", f"data.cache={tmp_path / 'cache'}"]
    assert entry(["board", at, f"leaderboard={results / 'leaderboard.md'}"]) == 0
    assert entry(["report", at]) == 0
    assert (
        entry(["report", at, f"out={results / 'shown.html'}", "report.images=true", *images]) == 0
    )
    for verb in (["show", done.key], ["show", failed.key], ["ls", "records"], ["status", "--once"]):
        entry([*verb, at])
    for path in mine.rglob(f"{BROKEN}*"):
        path.unlink()  # `rescore` leaves no bad case out
    if hashed:
        assert entry(["board", "rescore", at, *images]) == 0
    printed = "".join(capfd.readouterr())
    assert "image data: folder_ours, 1 bad case left out" in printed
    assert "0 scores differ" in printed or not hashed

    voxels = [np.asarray(nibabel.load(path).dataobj) for path in mine.glob("imagesTr/[!K]*")]
    pieces = [a.astype(kind).T.tobytes()[:64] for a in voxels for kind in ("<f4", "<f2")]
    for name, content in everything(results):
        text = name + content.decode("utf-8", "replace")
        assert ".nii" not in text, name
        assert "imagesTr" not in text, name
        if not name.startswith(".sweeps"):  # the command that was typed
            assert str(mine) not in text, name
        if hashed:
            assert not spoken(text), (name, spoken(text))
        assert not any(piece in content for piece in pieces), name
        # A picture is in the report that was asked for one, and nowhere else.
        assert ("data:image/jpeg" in text) == name.endswith("shown.html"), name
    if hashed:
        assert not spoken(printed)
    else:
        assert spoken(printed)  # so the search would find one


def test_hashed_ids_keep_every_patient_where_he_was(
    mine: Path, ready: Callable[..., Ready]
) -> None:
    plain, hashed = ready(), ready(hash_ids=True)
    clear = clear_names(mine)
    assert sorted(clear.values()) == sorted(PATIENTS)
    assert all(re.fullmatch(r"h-[0-9a-f]{16}", name) for name in clear)
    for shots, draw in (("1", "0"), ("2", "3"), ("all", "9")):
        one = plain.resolve(draw, shots, probe_patients=1)
        two = hashed.resolve(draw, shots, probe_patients=1)
        assert [clear[s.patient] for s in two.support] == [s.patient for s in one.support]
        for part in ("pool", "probe", "test"):
            assert [clear[case] for case in getattr(two, part)] == list(getattr(one, part))
    for case in hashed.store.manifest.cases:
        there = hashed.store.volume(case.case, with_label=True)
        here = plain.store.volume(clear[case.case], with_label=True)
        assert np.array_equal(there.image, here.image)
        assert np.array_equal(there.label, here.label)
    slices = hashed.resolve("0", "3s", probe_patients=1)
    assert sum(len(entry.slices or ()) for entry in slices.support) == 3
    assert slices == hashed.resolve("0", "3s", probe_patients=1)


def test_a_hashed_copy_is_another_copy_and_stays_the_same_one(
    mine: Path, ready: Callable[..., Ready], tmp_path: Path
) -> None:
    plain, hashed = ready(), ready(hash_ids=True)
    assert (plain.name, hashed.name) == ("folder_ours", "folder_ours, hashed ids")
    assert plain.fingerprint != hashed.fingerprint
    assert plain.split_hash("ours") != hashed.split_hash("ours")
    assert plain.store.folder != hashed.store.folder
    written = (mine / "sambench_ids.json").stat()
    assert written.st_mode & 0o077 == 0  # for its owner alone
    again = ready(hash_ids=True, cache=str(tmp_path / "elsewhere"))  # as on another machine
    assert again.fingerprint == hashed.fingerprint
    assert (mine / "sambench_ids.json").stat().st_mtime_ns == written.st_mtime_ns
    (mine / "sambench_ids.json").unlink()
    other = ready(hash_ids=True)  # another salt: nobody can try out names
    assert other.fingerprint != hashed.fingerprint
    assert not set(other.store.cases) & set(hashed.store.cases)


def test_a_new_patient_joins_the_list_and_the_split_says_so_without_his_name(
    mine: Path, ready: Callable[..., Ready]
) -> None:
    ready(hash_ids=True)
    before = clear_names(mine)
    write(mine, BROKEN, 9)
    with pytest.raises(RequestError, match=r"split\.json can't be used, and the reason") as caught:
        ready(hash_ids=True)
    assert not spoken(str(caught.value))
    with pytest.raises(RequestError, match=f"1 of 7 patients are not in .* \\({BROKEN}\\)"):
        ready()
    (mine / "sambench_split.json").unlink()
    ready(hash_ids=True)
    after = clear_names(mine)
    assert before.items() < after.items()
    assert set(after.values()) - set(before.values()) == {BROKEN}


def no_label(root: Path) -> None:
    (root / "labelsTr" / f"{BROKEN}.nii.gz").unlink()


def cut_image(root: Path) -> None:
    cut(root / "imagesTr" / f"{BROKEN}_0000.nii.gz")


def strange_label(root: Path) -> None:
    label = nibabel.Nifti1Image(np.full(SHAPE, 9, np.uint8), np.eye(4))
    label.to_filename(root / "labelsTr" / f"{BROKEN}.nii.gz")


def other_grid(root: Path) -> None:
    label = nibabel.Nifti1Image(np.ones(SHAPE, np.uint8), np.diag([3, 3, 3, 1.0]))
    label.to_filename(root / "labelsTr" / f"{BROKEN}.nii.gz")


def lost_voxels(root: Path) -> None:
    (root / "imagesTr" / f"{BROKEN}_0000.nii.gz").unlink()
    header = "NDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = Karl.raw\n"
    (root / "imagesTr" / f"{BROKEN}_0000.mhd").write_text(header)


def twice(root: Path) -> None:
    image = root / "imagesTr" / f"{BROKEN}_0000"
    image.with_suffix(".nrrd").write_bytes(image.with_suffix(".nii.gz").read_bytes())


def only_an_image(root: Path) -> None:
    for path in root.glob("labelsTr/*"):
        path.rename(path.with_name(f"{path.name.partition('.')[0]}_seg.nii.gz"))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (no_label, "there is no segmentation"),
        (cut_image, "a file of it is cut off"),
        (strange_label, "holds label 9"),
        (other_grid, "are not on one grid"),
        (lost_voxels, "keeps its voxels there"),
        (twice, "this id occurs twice"),
        (only_an_image, "is missing"),
    ],
)
def test_an_error_names_the_hashed_id_alone(
    mine: Path, ready: Callable[..., Ready], fault: Callable[[Path], None], said: str
) -> None:
    write(mine, BROKEN, 9)
    fault(mine)
    with pytest.raises(RequestError, match=said) as caught:
        ready(hash_ids=True)
    text = str(caught.value)
    assert not spoken(text), text
    assert re.match(r"case h-[0-9a-f]{16}: ", text)
    assert caught.value.__cause__ is None
    assert clear_names(mine)[text.split()[1].rstrip(":")]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="file names here are always text")
def test_a_name_that_is_no_text(mine: Path, ready: Callable[..., Ready]) -> None:
    """A file system takes any bytes. What can't be written as text is refused, and not heard."""
    name = os.fsdecode(b"Karl\xfc")
    write(mine, BROKEN, 9)
    for folder, ending in (("imagesTr", "_0000.nii.gz"), ("labelsTr", ".nii.gz")):
        (mine / folder / f"{BROKEN}{ending}").rename(mine / folder / f"{name}{ending}")
    with pytest.raises(RequestError, match="is no text in UTF-8; rename its files") as caught:
        ready(hash_ids=True)
    assert not spoken(str(caught.value))
    with pytest.raises(RequestError, match=r"case Karl\?: the name Karl\? is no text in UTF-8"):
        ready()


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"format": 1, "salt": "00", "ids": {}}', b"[[" * 9999, b"\xff"]
)
def test_a_damaged_secret_is_not_replaced(
    mine: Path, ready: Callable[..., Ready], content: bytes
) -> None:
    (mine / "sambench_ids.json").write_bytes(content)
    with pytest.raises(RequestError, match=r"sambench_ids\.json is damaged: put the old one back"):
        ready(hash_ids=True)
    assert (mine / "sambench_ids.json").read_bytes() == content


def test_a_changed_list_is_damage(tmp_path: Path) -> None:
    open_ids(tmp_path / "ids.json", ["a", "b"])
    text = (tmp_path / "ids.json").read_text()
    (tmp_path / "ids.json").write_text(text.replace('"b"', '"c"'))
    with pytest.raises(RequestError, match="is damaged"):
        open_ids(tmp_path / "ids.json", ["a"])


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = open_ids(tmp_path / "ids.json", ["a"])
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the superuser may always write
    assert open_ids(tmp_path / "ids.json", ["a"]) == ids
    with pytest.raises(RequestError, match=r"ids\.json: the folder is read-only; data\.hash_ids"):
        open_ids(tmp_path / "ids.json", ["b"])


def test_published_ids_are_not_hashed() -> None:
    data = {"root": None, "cache": None, "partial": True, "skip_bad": False, "hash_ids": True}
    with pytest.raises(RequestError, match="is for volumes of your own; the ids of phantom are"):
        make_ready(discover(), "phantom", {}, data)


def test_a_pool_hashes_what_nobody_published(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, bool] = {}

    def note(registry: Any, name: str, options: Any, data: Any) -> Any:
        asked[name] = data["hash_ids"]

    monkeypatch.setattr(pool, "make_ready", note)
    registry = discover()
    words = ["method=samora", "dataset=promise12", "pool=phantom,folder", "data.hash_ids=true"]
    pool.pool_copies(compose_demand(words, registry, gpu=False), registry, {})
    assert asked == {"phantom": False, "folder": True}
