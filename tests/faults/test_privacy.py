"""What leaves a clinic with a results folder: no image, no file's name, and with
`data.hash_ids=true` no id either."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest

from bench.cli import entry
from bench.data.ready import Ready
from bench.errors import RequestError
from bench.record.store import read_records
from tests.faults.patients import (
    BROKEN,
    SHAPE,
    clear_names,
    cut,
    spoken,
    write,
)


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


@pytest.mark.parametrize("hashed", [True, False])
def test_a_case_left_out_names_no_file_that_its_header_names(
    mine: Path, ready: Callable[..., Ready], hashed: bool
) -> None:
    """Neither below the folder nor elsewhere: the reason goes into records."""
    for name, data in (
        (BROKEN, "/export/DOE_JANE_1961/t2.raw"),
        ("Zweiter", "DOE: JANE 1961.t2 raw"),
    ):
        write(mine, name, 9)
        (mine / "imagesTr" / f"{name}_0000.nii.gz").unlink()
        header = "NDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\n"
        path = mine / "imagesTr" / f"{name}_0000.mhd"
        path.write_text(f"{header}ElementDataFile = {data}\n")
    skipped = ready(hash_ids=hashed, skip_bad=True).skipped
    assert len(skipped) == 2
    for text in skipped:
        assert not re.search(r"DOE|JANE|1961|raw|mhd|/", text), text


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
