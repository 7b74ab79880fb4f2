"""A reason may go into a record (data.skip_bad=true): it repeats no word out of a file, which may
be a patient's name or somebody's folder. dataset.json: test_readers_dataset_json.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from bench.data.readers import read_image
from bench.errors import DataError

META = {
    "NDims": "3",
    "DimSize": "2 2 2",
    "ElementType": "MET_UCHAR",
    "ElementSpacing": "1 1 1",
    "ElementDataFile": "a.raw",
}
NRRD = {
    "type": "uint8",
    "dimension": "3",
    "sizes": "2 2 2",
    "encoding": "raw",
    "space directions": "(1,0,0) (0,1,0) (0,0,1)",
    "data file": "a.raw",
}


def meta(**fields: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        last = {"ElementDataFile": META["ElementDataFile"], **fields}.pop("ElementDataFile")
        known = {**META, **fields, "ElementDataFile": ""}
        text = "".join(f"{key} = {value}\n" for key, value in known.items() if value)
        text += f"ElementDataFile = {last}\n"
        (folder / "a.mhd").write_text(text)
        return folder / "a.mhd"

    return write


def nrrd(fields: dict[str, str]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        text = "".join(f"{key}: {value}\n" for key, value in {**NRRD, **fields}.items())
        (folder / "a.nhdr").write_text(f"NRRD0004\n{text}")
        return folder / "a.nhdr"

    return write


def twice_meta(folder: Path) -> Path:
    path = meta()(folder)
    path.write_text("DOE_JANE = 1\nDOE_JANE = 1\n" + path.read_text())
    return path


def twice_nrrd(folder: Path) -> Path:
    path = nrrd({})(folder)
    path.write_text(path.read_text() + "doe_jane: 1\nDOE_JANE: 1\n")
    return path


def npz(folder: Path) -> Path:
    np.savez(folder / "a.npz", DOE_JANE=np.zeros(3), more=np.zeros(3))
    return folder / "a.npz"


def hdf5(folder: Path) -> Path:
    with h5py.File(folder / "a.h5", "w") as file:
        file["DOE_JANE"] = np.zeros(3)
    return folder / "a.h5"


def columns(folder: Path) -> Path:
    np.save(folder / "a.npy", np.zeros((2, 2, 2), [("DOE_JANE", "u1")]))
    return folder / "a.npy"


def columns_of_hdf5(folder: Path) -> Path:
    with h5py.File(folder / "a.h5", "w") as file:
        file["image"] = np.zeros((2, 2, 2), [("DOE_JANE", "u1")])
    return folder / "a.h5"


ELSEWHERE = "its header names a file of voxels which leaves its folder; put it beside it"
LOST = r"the file of voxels that .*/a\.(mhd|nhdr) names is missing; a\.(mhd|nhdr) keeps its voxels"
CUT = r"the file of voxels that .*/a\.(mhd|nhdr) names holds 3 bytes of voxels, its header says 8"


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (meta(ElementDataFile="/export/DOE_JANE_1961/t2.raw"), ELSEWHERE),
        (nrrd({"data file": "/export/DOE_JANE_1961/t2.raw"}), ELSEWHERE),
        (meta(ElementDataFile="../DOE JANE.raw"), ELSEWHERE),
        (meta(ElementDataFile="DOE: JANE. 1961; t2.raw"), LOST),
        (nrrd({"data file": "DOE JANE.1961 t2.raw"}), LOST),
        (meta(ElementDataFile="DOE" * 200), "cannot be read: File name too long"),
        (meta(ElementDataFile="JANE.raw"), CUT),
        (nrrd({"data file": "JANE.raw"}), CUT),
        (meta(ElementType="DOE"), "its ElementType is not read"),
        (meta(DimSize="DOE"), "its DimSize should be whole numbers"),
        (meta(NDims="DOE"), "its NDims is not 3, as its DimSize has it"),
        (meta(HeaderSize="DOE"), "its HeaderSize is not read"),
        (meta(ElementSpacing="DOE JANE 1961"), "its ElementSpacing should be 3 numbers"),
        (twice_meta, "line 2 of its header repeats a key"),
        (nrrd({"type": "DOE"}), "its type is not read"),
        (nrrd({"sizes": "DOE"}), "its sizes should be whole numbers"),
        (nrrd({"encoding": "DOE"}), "its encoding is not read"),
        (nrrd({"space directions": "DOE"}), "its space directions should be 3 vectors"),
        (nrrd({"space directions": "(DOE) (JANE) (1961)"}), "directions should be 3 numbers"),
        (twice_nrrd, "line 9 of its header repeats a key"),
        (npz, "has no array 'image' among its 2 arrays; save it under that name"),
        (hdf5, "has no dataset 'image' among its 1 entries; save it under that name"),
        (columns, "holds void8; real numbers are needed"),
        (columns_of_hdf5, "holds void8; real numbers are needed"),
    ],
)
def test_a_reason_repeats_no_word_of_a_file(
    tmp_path: Path, write: Callable[[Path], Path], said: str
) -> None:
    (tmp_path / "JANE.raw").write_bytes(b"abc")
    with pytest.raises(DataError, match=said) as caught:
        read_image(write(tmp_path))
    for word in ("DOE", "JANE", "1961"):
        assert word not in str(caught.value).upper()


@pytest.mark.parametrize("name", ["a.raw", "a.zraw"])
def test_the_usual_file_of_voxels_is_named(tmp_path: Path, name: str) -> None:
    """Its name is the header's own, which a record leaves out."""
    with pytest.raises(DataError, match=rf"/{name} is missing; a\.mhd keeps its voxels there"):
        read_image(meta(ElementDataFile=name)(tmp_path))
