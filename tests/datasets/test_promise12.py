"""PROMISE12 as the challenge gives it out, and its reduced copies."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from bench.data.splits import load_book
from bench.errors import DataError
from datasets.promise12.dataset import Promise12, site_of


def write_case(folder: Path, number: int, *, side: int = 256, packed: bool = False) -> np.ndarray:
    """CaseNN: (3, side, side) int16 with a label box; spacing 3.6 x 0.625 x 0.625 mm."""
    folder.mkdir(parents=True, exist_ok=True)
    voxels = np.full((3, side, side), number, np.int16)
    label = np.zeros(voxels.shape, np.int8)
    label[1, 10:20, 30:50] = 1
    for array, name in ((voxels, ""), (label, "_segmentation")):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((0.625, 0.625, 3.6))
        path = folder / f"Case{number:02d}{name}.mhd"
        sitk.WriteImage(image, str(path), useCompression=packed)
    return label


def dataset(root: Path) -> Promise12:
    return Promise12(SimpleNamespace(), root)


@pytest.mark.parametrize("inside", ["", "training_data", "promise12/training_data", "promise12"])
@pytest.mark.parametrize("packed", [False, True])
def test_official(tmp_path: Path, inside: str, packed: bool) -> None:
    label = write_case(tmp_path / inside, 7, packed=packed)
    copy = dataset(tmp_path).find()
    assert copy is not None
    assert copy.layout == "official"
    (source,) = copy.sources
    assert (source.case, source.patient, source.site) == ("Case07", "Case07", "BIDMC")
    data = ".zraw" if packed else ".raw"
    assert [path.name for path in source.files] == [
        "Case07.mhd",
        f"Case07{data}",
        "Case07_segmentation.mhd",
        f"Case07_segmentation{data}",
    ]
    raw = dataset(tmp_path).read(source)
    assert raw.image.shape == (3, 256, 256)
    assert (raw.image == 7).all()
    np.testing.assert_array_equal(raw.label, label)
    assert raw.spacing == pytest.approx((3.6, 0.625, 0.625))


def test_the_parts_of_the_challenge_are_one_copy(tmp_path: Path) -> None:
    write_case(tmp_path / "TrainingData_Part1", 0)
    write_case(tmp_path / "TrainingData_Part3", 49)
    copy = dataset(tmp_path).find()
    assert copy is not None
    assert [source.case for source in copy.sources] == ["Case00", "Case49"]


def test_smaller_slices_are_another_layout(tmp_path: Path) -> None:
    write_case(tmp_path, 0)
    write_case(tmp_path, 1, side=128)
    (tmp_path / "Case02.mhd").write_text("broken")
    copy = dataset(tmp_path).find()
    assert copy is not None
    assert copy.layout == "reduced"
    assert len(copy.sources) == 3


def test_a_missing_segmentation_is_said_when_the_case_is_read(tmp_path: Path) -> None:
    write_case(tmp_path, 3)
    (tmp_path / "Case03_segmentation.mhd").unlink()
    copy = dataset(tmp_path).find()
    assert copy is not None
    with pytest.raises(DataError, match=r"case Case03: there is no segmentation: .*Case03_segment"):
        dataset(tmp_path).read(copy.sources[0])


def test_a_truncated_raw_is_said(tmp_path: Path) -> None:
    write_case(tmp_path, 3)
    (tmp_path / "Case03.raw").write_bytes(b"\0" * 1000)
    copy = dataset(tmp_path).find()
    assert copy is not None
    with pytest.raises(DataError, match=r"case Case03: .*Case03\.raw holds 1000 bytes of voxels"):
        dataset(tmp_path).read(copy.sources[0])


def test_nothing_there(tmp_path: Path) -> None:
    assert dataset(tmp_path).find() is None
    assert dataset(tmp_path / "absent").find() is None
    assert Promise12(SimpleNamespace(), None).find() is None


def test_the_sites_are_those_of_the_split(project_root: Path) -> None:
    book = load_book(project_root / "datasets/promise12/split.json", "promise12")
    assert {f"Case{number:02d}": site_of(number) for number in range(50)} == book.sites


@pytest.mark.shared
def test_the_real_copy(shared_data: Path) -> None:
    copy = dataset(shared_data).find()
    assert copy is not None
    assert (copy.layout, len(copy.sources)) == ("reduced", 50)
    assert Counter(source.site for source in copy.sources) == {
        "RUNMC": 13,
        "UCL": 13,
        "BIDMC": 12,
        "HK": 12,
    }
    raw = dataset(shared_data).read(copy.sources[5])
    assert raw.image.shape == raw.label.shape == (32, 128, 128)
    assert raw.spacing == (2.5, 1.25, 1.25)
    assert set(np.unique(raw.label)) == {0, 1}
