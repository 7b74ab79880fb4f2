"""The user's own folder, in nnU-Net raw or decathlon layout."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from bench.contract import Dataset
from bench.data.splits import open_book
from bench.errors import DataError, RequestError
from datasets.folder.dataset import Folder


def folder(root: Path | None, channel: int = 0) -> Folder:
    return Folder(SimpleNamespace(root=root, channel=channel), root)


def write(root: Path, name: str, value: int, suffix: str = ".nii.gz") -> None:
    path = root / f"{name}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    voxels = np.full((3, 8, 8), value, np.uint8)
    if "labels" in name:
        voxels[:, :4] = 1
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.5, 0.5, 4))
    sitk.WriteImage(image, str(path))


def describe(root: Path, **content: Any) -> None:
    root.mkdir(parents=True, exist_ok=True)
    base = {"channel_names": {"0": "T2", "1": "ADC"}, "labels": {"background": 0, "gland": 1}}
    (root / "dataset.json").write_text(json.dumps({**base, **content}))


@pytest.fixture
def nnunet(tmp_path: Path) -> Path:
    root = tmp_path / "Dataset007_My Set"
    describe(root)
    for case in ("a_1", "b_0001"):
        for channel in (0, 1):
            write(root, f"imagesTr/{case}_{channel:04d}", 10 + channel)
        write(root, f"labelsTr/{case}", 0)
    return root


def test_it_is_a_dataset(nnunet: Path) -> None:
    assert isinstance(folder(nnunet), Dataset)


@pytest.mark.parametrize("channel", [0, 1])
def test_nnunet(nnunet: Path, channel: int) -> None:
    copy = folder(nnunet, channel).find()
    assert copy is not None
    assert copy.layout == "nnunet"
    assert [source.case for source in copy.sources] == ["a_1", "b_0001"]
    raw = folder(nnunet, channel).read(copy.sources[1])
    assert (raw.image == 10 + channel).all()
    assert raw.label.sum() == 3 * 4 * 8
    assert raw.spacing == (4, 0.5, 0.5)
    assert folder(nnunet, channel).facts() == {
        "name": "folder_dataset007_my_set",
        "classes": ("gland",),
        "modality": ("T2", "ADC")[channel],
    }


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha", ".mhd"])
def test_decathlon_in_every_format(tmp_path: Path, suffix: str) -> None:
    describe(tmp_path, name="Mine!", channel_names={})
    for case in ("x_0001", "y"):
        write(tmp_path, f"imagesTr/{case}", 5, suffix)
        write(tmp_path, f"labelsTr/{case}", 0, suffix)
    copy = folder(tmp_path).find()
    assert copy is not None
    assert copy.layout == "msd"
    assert [source.case for source in copy.sources] == ["x_0001", "y"]
    assert len(copy.sources[0].files) == (4 if suffix == ".mhd" else 2)
    assert (folder(tmp_path).read(copy.sources[0]).image == 5).all()
    assert folder(tmp_path).facts()["name"] == "folder_mine"
    assert folder(tmp_path).facts()["modality"] == "not stated"


def test_patients_and_sites(nnunet: Path) -> None:
    describe(nnunet, patients={"a_1": "p", "b_0001": "p"}, sites={"a_1": "north"})
    copy = folder(nnunet).find()
    assert copy is not None
    assert [(source.patient, source.site) for source in copy.sources] == [
        ("p", "north"),
        ("p", None),
    ]


def test_unlabelled_voxels(nnunet: Path) -> None:
    describe(nnunet, labels={"background": 0, "gland": 1, "ignore": 2})
    write(nnunet, "labelsTr/a_1", 2)
    copy = folder(nnunet).find()
    assert copy is not None
    label = folder(nnunet).read(copy.sources[0]).label
    assert label.dtype == np.uint8
    assert set(np.unique(label)) == {1, 255}


def test_missing_parts_are_said_when_the_case_is_read(nnunet: Path) -> None:
    (nnunet / "labelsTr/a_1.nii.gz").unlink()
    (nnunet / "imagesTr/b_0001_0001.nii.gz").unlink()
    copy = folder(nnunet).find()
    assert copy is not None
    with pytest.raises(DataError, match=r"case a_1: there is no segmentation: .*labelsTr/a_1"):
        folder(nnunet).read(copy.sources[0])
    copy = folder(nnunet, 1).find()
    assert copy is not None
    with pytest.raises(DataError, match="case b_0001: channel 1 of its image is missing in images"):
        folder(nnunet, 1).read(copy.sources[1])


def test_two_files_of_one_case_reach_the_checks(nnunet: Path) -> None:
    write(nnunet, "imagesTr/a_1_0000", 3, ".nrrd")
    copy = folder(nnunet).find()
    assert copy is not None
    assert [source.case for source in copy.sources] == ["a_1", "a_1", "b_0001"]


def test_empty_and_absent_folders(tmp_path: Path) -> None:
    assert folder(tmp_path).find() is None
    (tmp_path / "imagesTr").mkdir()
    with pytest.raises(RequestError, match=r"has no dataset\.json; write one with its labels"):
        folder(tmp_path).find()
    describe(tmp_path)
    copy = folder(tmp_path).find()
    assert copy is not None
    assert copy.sources == ()
    with pytest.raises(RequestError, match=r"dataset=folder needs dataset\.root=DIR, the folder"):
        folder(None)


def test_hidden_files_are_left_out(nnunet: Path) -> None:
    (nnunet / "imagesTr/._a_1_0000.nii.gz").touch()
    (nnunet / "imagesTr/notes.txt").touch()
    copy = folder(nnunet).find()
    assert copy is not None
    assert len(copy.sources) == 2


def test_the_split_is_kept_beside_the_data(nnunet: Path) -> None:
    dataset = folder(nnunet)
    assert dataset.split_file == nnunet / "sambench_split.json"
    name = dataset.facts()["name"]
    book = open_book(dataset.split_file, name, ["a_1", "b_0001"], {})
    assert sorted(book.splits["ours"].patients) == ["a_1", "b_0001"]
    assert open_book(dataset.split_file, name, ["a_1", "b_0001"], {}) == book


@pytest.mark.shared
def test_a_real_folder(shared_data: Path) -> None:
    real = folder(shared_data / "msd" / "Task04_Hippocampus")
    copy = real.find()
    assert copy is not None
    assert (copy.layout, len(copy.sources)) == ("msd", 130)
    assert real.facts() == {
        "name": "folder_hippocampus",
        "classes": ("Anterior", "Posterior"),
        "modality": "MRI",
    }
    assert real.read(copy.sources[3]).spacing == (1, 1, 1)
