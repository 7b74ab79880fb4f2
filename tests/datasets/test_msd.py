"""The decathlon: ten names, one class, one channel of several."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest

from bench.data.splits import load_book
from bench.errors import DataError, RequestError
from bench.registry import discover, load, make_options
from datasets.msd.dataset import Decathlon

TASKS = {
    "braintumour": 484,
    "heart": 20,
    "liver": 131,
    "hippocampus": 260,
    "prostate": 32,
    "lung": 63,
    "pancreas": 281,
    "hepaticvessel": 303,
    "spleen": 41,
    "colon": 126,
}


def write_task(folder: Path, cases: list[str], shape: tuple[int, ...] = (6, 5, 4)) -> None:
    """Images of (x, y, z[, channel]); the voxel's value is its channel."""
    for kind in ("imagesTr", "labelsTr"):
        (folder / kind).mkdir(parents=True)
    channels = shape[3] if len(shape) == 4 else 1
    for case in cases:
        voxels = np.zeros(shape, np.float32) + (np.arange(channels) if len(shape) == 4 else 0)
        affine = np.diag([1, 1, 3.6, 1])
        nibabel.Nifti1Image(voxels.astype(np.float32), affine).to_filename(
            folder / "imagesTr" / f"{case}.nii.gz"
        )
        label = np.ones(shape[:3], np.uint8)
        nibabel.Nifti1Image(label, affine).to_filename(folder / "labelsTr" / f"{case}.nii.gz")
    content = {
        "name": "X",
        "labels": {"0": "background", "1": "x"},
        "training": [
            {"image": f"./imagesTr/{case}.nii.gz", "label": f"./labelsTr/{case}.nii.gz"}
            for case in cases
        ],
    }
    (folder / "dataset.json").write_text(json.dumps(content))


def spleen(root: Path) -> Decathlon:
    return Decathlon(SimpleNamespace(task="Task09_Spleen"), root)


def prostate(root: Path, channel: int) -> Decathlon:
    return Decathlon(SimpleNamespace(task="Task05_Prostate", channel=channel), root)


@pytest.mark.parametrize("inside", ["Task09_Spleen", "msd/Task09_Spleen"])
def test_a_task_is_found(tmp_path: Path, inside: str) -> None:
    write_task(tmp_path / inside, ["spleen_2", "spleen_3"])
    (tmp_path / inside / "imagesTr" / "._spleen_2.nii.gz").touch()
    write_task(tmp_path / "Task04_Hippocampus", ["hippocampus_001"])
    for root in (tmp_path, tmp_path / inside):
        copy = spleen(root).find()
        assert copy is not None
        assert (copy.layout, copy.root) == ("official", tmp_path / inside)
        assert [source.case for source in copy.sources] == ["spleen_2", "spleen_3"]
    raw = spleen(tmp_path).read(copy.sources[0])
    assert raw.image.shape == raw.label.shape == (4, 5, 6)
    assert raw.spacing == pytest.approx((3.6, 1, 1))


def test_only_what_is_there_counts(tmp_path: Path) -> None:
    folder = tmp_path / "Task09_Spleen"
    write_task(folder, ["spleen_2", "spleen_3"])
    (folder / "imagesTr" / "spleen_2.nii.gz").unlink()
    (folder / "labelsTr" / "spleen_3.nii.gz").unlink()
    copy = spleen(tmp_path).find()
    assert copy is not None
    (source,) = copy.sources
    with pytest.raises(DataError, match=r"case spleen_3: there is no segmentation: .*spleen_3"):
        spleen(tmp_path).read(source)


def test_one_channel_of_several(tmp_path: Path) -> None:
    write_task(tmp_path / "Task05_Prostate", ["prostate_00"], (6, 5, 4, 2))
    copy = prostate(tmp_path, 0).find()
    assert copy is not None
    for channel in (0, 1):
        raw = prostate(tmp_path, channel).read(copy.sources[0])
        assert raw.image.shape == raw.label.shape == (4, 5, 6)
        assert (raw.image == channel).all()
        assert raw.spacing == pytest.approx((3.6, 1, 1))
    with pytest.raises(DataError, match=r"case prostate_00: there is no channel 2; .* has 0 to 1"):
        prostate(tmp_path, 2).read(copy.sources[0])


def test_a_4d_image_of_a_3d_task_reaches_the_checks(tmp_path: Path) -> None:
    write_task(tmp_path / "Task09_Spleen", ["spleen_2"], (6, 5, 4, 2))
    copy = spleen(tmp_path).find()
    assert copy is not None
    assert spleen(tmp_path).read(copy.sources[0]).image.shape == (2, 4, 5, 6)


def test_no_copy(tmp_path: Path) -> None:
    assert spleen(tmp_path).find() is None
    (tmp_path / "Task09_Spleen" / "imagesTr").mkdir(parents=True)
    with pytest.raises(RequestError, match=r"Task09_Spleen has no dataset\.json"):
        spleen(tmp_path).find()


@pytest.mark.parametrize(("task", "cases"), TASKS.items())
def test_the_ten_cards(task: str, cases: int, project_root: Path) -> None:
    found, card = discover().dataset(f"msd_{task}")
    assert card.cases == cases
    assert card.classes
    (file,) = card.files
    assert file.sha256 is not None
    assert len(file.sha256) == 64
    assert file.md5 is not None
    assert len(file.md5) == 32
    options = make_options(found)
    assert options.task == file.name.removesuffix(".tar")
    assert options.task.lower().endswith(task)
    assert load(found) is Decathlon
    book = load_book(project_root / "datasets/msd/split.json", found.name)
    assert len(book.splits["ours"].patients) == cases
    assert hasattr(options, "channel") == (task in ("braintumour", "prostate"))


@pytest.mark.shared
def test_the_real_copy(shared_data: Path) -> None:
    hippocampus = Decathlon(SimpleNamespace(task="Task04_Hippocampus"), shared_data)
    copy = hippocampus.find()
    assert copy is not None
    assert len(copy.sources) == 130
    raw = hippocampus.read(copy.sources[0])
    assert raw.image.shape == raw.label.shape == (35, 51, 35)
    assert raw.spacing == (1, 1, 1)
    assert set(np.unique(raw.label)) == {0, 1, 2}
