"""`bench.evaluate` against shapes scored by hand, MONAI and a unit's own record; bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk  # noqa: N813

import bench
from bench.data.ready import make_ready
from bench.errors import RequestError
from bench.registry import discover
from tests.conftest import Bench


def box(shape: tuple[int, ...], *sides: slice, value: int = 1) -> np.ndarray:
    array = np.zeros(shape, np.uint8)
    array[sides] = value
    return array


REFERENCE = box((12, 20, 20), slice(2, 8), slice(4, 12), slice(4, 14))
LONGER = box((12, 20, 20), slice(2, 8), slice(4, 12), slice(4, 16))
"""The same box, two voxels longer along the last axis."""


def save_nifti(path: Path, array: np.ndarray, *, spacing: tuple[float, ...], x: float = 0) -> Path:
    """array (z, y, x) with spacing (z, y, x)."""
    affine = np.diag([*spacing[::-1], 1.0])
    affine[0, 3] = x
    nibabel.save(nibabel.Nifti1Image(array.T, affine), path)
    return path


def test_boxes_by_hand() -> None:
    frame = bench.evaluate(LONGER, REFERENCE, spacing=(3.0, 1.0, 0.5), classes=["organ"])
    (row,) = frame.to_dict("records")
    volume, more = 6 * 8 * 10, 6 * 8 * 2
    assert (row["tp"], row["fp"], row["fn"]) == (volume, more, 0)
    assert row["dice"] == pytest.approx(2 * volume / (2 * volume + more))
    assert row["iou"] == pytest.approx(volume / (volume + more))
    # The far face, 48 of 600 mm2 and more, lies two voxels of 0.5 mm away.
    assert row["hd95"] == pytest.approx(1.0)
    assert row["nsd"] == 1.0
    assert row["class"] == "organ"
    assert row["spacing_source"] == "given"
    assert frame["empty"].isna().all()


def test_balls_against_monai() -> None:
    import torch
    from monai.metrics import DiceMetric

    z, y, x = np.indices((24, 32, 32))
    near = ((z - 12) ** 2 + (y - 16) ** 2 + (x - 16) ** 2 <= 64).astype(np.uint8)
    moved = 2 * ((z - 12) ** 2 + (y - 19) ** 2 + (x - 16) ** 2 <= 49).astype(np.uint8)
    prediction, reference = np.maximum(near, moved), np.maximum(near, np.roll(moved, 2, 0))
    frame = bench.evaluate(prediction, reference, classes={"one": 1, "two": 2})
    hot = [
        torch.nn.functional.one_hot(torch.as_tensor(a.astype(np.int64)), 3).movedim(-1, 0)[None]
        for a in (prediction, reference)
    ]
    theirs = DiceMetric(include_background=False, reduction="none")(*hot)
    assert frame["dice"].to_numpy() == pytest.approx(theirs.numpy().ravel(), abs=1e-6)
    assert frame["class"].tolist() == ["one", "two"]


def test_each_label_is_a_class_without_names_and_empty_masks_are_told() -> None:
    reference, prediction = REFERENCE.copy(), REFERENCE.copy()
    reference[0, 0, 0], prediction[0, 1, 1] = 7, 4
    prediction[11], reference[11] = 1, 255  # not labelled: counts for nothing
    frame = bench.evaluate(prediction, reference).set_index("class")
    assert frame.index.tolist() == [1, 4, 7]
    assert frame.loc[1, "dice"] == 1.0
    assert frame.loc[[4, 7], "empty"].tolist() == ["false_positive", "missed"]
    assert frame.loc[[4, 7], "dice"].tolist() == [0, 0]
    assert frame["hd95"].tolist() == pytest.approx([0, *[np.linalg.norm((12, 20, 20))] * 2])
    named = bench.evaluate(prediction, reference, classes=[1, 4, 7, 9]).set_index("class")
    assert named.loc[9, "empty"] == "both"
    assert named.loc[9, ["dice", "iou", "hd95", "assd", "nsd"]].isna().all()
    assert (
        named.dtypes.to_dict() == bench.evaluate([[1]], [[1]]).set_index("class").dtypes.to_dict()
    )


def test_every_format_and_any_pair_of_formats(tmp_path: Path) -> None:
    import h5py

    spacing = (3.0, 1.0, 0.5)
    expected = bench.evaluate(LONGER, REFERENCE, spacing).drop(columns="spacing_source")
    files = [
        save_nifti(tmp_path / f"p{end}", LONGER, spacing=spacing) for end in (".nii", ".nii.gz")
    ]
    image = sitk.GetImageFromArray(LONGER)
    image.SetSpacing(spacing[::-1])
    image.SetDirection(
        (-1, 0, 0, 0, -1, 0, 0, 0, 1)
    )  # as nibabel's: x to the right, y to the front
    for end in (".nrrd", ".mha", ".mhd"):
        files.append(tmp_path / f"p{end}")
        sitk.WriteImage(image, str(files[-1]))
    plain = [tmp_path / f"p{end}" for end in (".npy", ".npz", ".h5")]
    np.save(plain[0], LONGER)
    np.savez_compressed(plain[1], label=LONGER)
    with h5py.File(plain[2], "w") as file:
        file["label"] = LONGER
    reference = save_nifti(tmp_path / "r.nii.gz", REFERENCE.astype(np.float64), spacing=spacing)
    for path in (*files, *plain):
        found = bench.evaluate(path, str(reference))
        assert set(found.pop("spacing_source")) == {"file"}
        pd.testing.assert_frame_equal(found, expected)
    unknown = bench.evaluate(plain[0], REFERENCE)
    assert set(unknown["spacing_source"]) == {"unknown"}
    pd.testing.assert_frame_equal(
        unknown.iloc[:, :-1], bench.evaluate(LONGER, REFERENCE, (1, 1, 1)).iloc[:, :-1]
    )


def test_a_picture_of_two_axes_is_scored_by_its_contours(tmp_path: Path) -> None:
    reference, prediction = REFERENCE[4], LONGER[4]
    expected = bench.evaluate(prediction[None], reference[None], (5, 2, 0.5), ["organ"])
    found = bench.evaluate(prediction, reference, (2, 0.5), ["organ"])
    pd.testing.assert_frame_equal(found, expected)
    nibabel.save(nibabel.Nifti1Image(reference.T, np.diag([0.5, 2, 1, 1])), tmp_path / "r.nii")
    from_file = bench.evaluate(prediction, tmp_path / "r.nii", (2, 0.5), ["organ"])
    pd.testing.assert_frame_equal(from_file, expected)


HALF = REFERENCE * 0.5
BAD: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
    ((LONGER[:-1], REFERENCE), {}, r"prediction has shape \(11, 20, 20\), reference has \(12, 20,"),
    ((HALF, REFERENCE), {}, "prediction is a float array with 480 values that are no whole numb"),
    ((REFERENCE, REFERENCE / np.where(REFERENCE > 0, 1, np.nan)), {}, "reference is a float array"),
    ((REFERENCE * 3, REFERENCE), {"classes": ["a", "b"]}, r"prediction has label values outside"),
    ((REFERENCE, REFERENCE * 3), {"classes": ["a"]}, "reference has label values outside of the c"),
    (
        (REFERENCE.astype(int) - 1, REFERENCE),
        {},
        "prediction has values from -1 to 0: label values",
    ),
    ((REFERENCE.astype(int) * 300, REFERENCE), {}, "prediction has values from 0 to 300"),
    ((REFERENCE * 255, REFERENCE), {}, r"prediction has label values outside of the classes: 255"),
    ((REFERENCE, REFERENCE * 255), {}, "the reference holds no label but 255, which means not lab"),
    (
        (REFERENCE * 0, REFERENCE * 0),
        {},
        "neither label map holds a label above 0: name the classes",
    ),
    ((REFERENCE, REFERENCE), {"classes": []}, "classes is empty"),
    ((REFERENCE, REFERENCE), {"classes": "organ"}, "classes is 'organ': give a list of names"),
    ((REFERENCE, REFERENCE), {"spacing": (1, 1)}, r"spacing is \(1, 1\): give 3 positive finite"),
    ((REFERENCE, REFERENCE), {"spacing": 2.0}, "spacing is 2.0: give 3 positive finite numbers"),
    ((REFERENCE, REFERENCE), {"spacing": (1, 0, 1)}, "give 3 positive finite numbers in mm"),
    (([[1], [1, 2]], REFERENCE), {}, "prediction is no array and no path"),
    ((REFERENCE[None], REFERENCE[None]), {}, "boundary scores need a volume or a picture"),
    ((REFERENCE, np.zeros((0, 3, 3))), {}, r"reference has shape \(0, 3, 3\): there is no voxel"),
    ((REFERENCE > 5, np.array(["a"])), {}, "reference has dtype <U1: give whole numbers"),
]


@pytest.mark.parametrize(("maps", "options", "message"), BAD)
def test_arrays_that_cannot_be_compared(
    maps: tuple[Any, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        bench.evaluate(*maps, **options)
    assert len(str(caught.value).splitlines()) == 1


def test_files_that_cannot_be_compared(tmp_path: Path) -> None:
    reference = save_nifti(tmp_path / "r.nii.gz", REFERENCE, spacing=(3, 1, 1))
    wide = save_nifti(tmp_path / "wide.nii.gz", REFERENCE, spacing=(3, 1, 1.1))
    moved = save_nifti(tmp_path / "moved.nii.gz", REFERENCE, spacing=(3, 1, 1), x=40)
    (tmp_path / "cut.nii.gz").write_bytes(reference.read_bytes()[:-30])
    (tmp_path / "notes.txt").write_text("no image")
    np.savez(tmp_path / "other.npz", image=REFERENCE)
    for prediction, options, message in (
        (wide, {}, "prediction has spacing 3 x 1 x 1.1 mm, reference has 3 x 1 x 1 mm: bring the"),
        (moved, {}, "not on one grid: their headers place a corner 40 mm apart; write both"),
        (
            reference,
            {"spacing": (1, 1, 1)},
            "spacing 1 x 1 x 1 mm was given, but a file says 3 x 1",
        ),
        (tmp_path / "gone.nii", {}, "gone.nii: there is no such file"),
        (tmp_path, {}, "is a folder: give two files, or two folders to evaluate_folders"),
        (tmp_path / "cut.nii.gz", {}, "case cut: "),
        (tmp_path / "notes.txt", {}, "notes.txt is of no known format"),
        (tmp_path / "other.npz", {}, "has no array 'label' among its 1 arrays"),
    ):
        with pytest.raises(RequestError) as caught:
            bench.evaluate(prediction, reference, **options)
        assert message in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1
    # Rounding of a header is no other spacing; a spacing that is given again and agrees is fine.
    close = save_nifti(tmp_path / "close.nii.gz", REFERENCE, spacing=(3.0001, 1, 1))
    assert bench.evaluate(close, reference, (3, 1, 1))["dice"].tolist() == [1.0]


def test_what_a_unit_recorded_of_the_predictions_that_it_kept(
    run_bench_unit: tuple[Path, dict[str, Any]], cache: Path, tmp_path: Path
) -> None:
    """References as arrays, and as files in another format."""
    results, record = run_bench_unit
    data = {
        "root": None,
        "cache": str(cache),
        "partial": False,
        "skip_bad": False,
        "hash_ids": False,
    }
    copy = make_ready(discover(), "phantom", {}, data)
    kept = results / record["files"]["predictions"]
    assert len(record["cases"]) > 5
    for case in record["cases"]:
        reference = copy.store.volume(case["case"], with_label=True)
        assert reference.label is not None
        file = save_nifti(
            tmp_path / f"{case['case']}.nii.gz", reference.label, spacing=reference.spacing
        )
        prediction = kept / f"{case['case']}.npz"
        by_array = bench.evaluate(prediction, reference.label, case["spacing"], ["organ", "nodule"])
        for frame in (by_array, bench.evaluate(prediction, file, classes=["organ", "nodule"])):
            for row in frame.drop(columns="spacing_source").to_dict("records"):
                said = case["classes"][row.pop("class")]
                assert {name: None if pd.isna(v) else v for name, v in row.items()} == said


@pytest.fixture(scope="module")
def run_bench_unit(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """A results folder with one unit that kept its predictions, and its record."""
    results = tmp_path_factory.mktemp("results")
    done = bench(
        *("run", "method=control_nearest", "dataset=phantom", "shots=1", "draw=0"),
        *(f"results={results}", "keep=predictions", "budget=steps-100", "budget.steps=4"),
    )
    assert done.code == 0, done.out + done.err
    (path,) = (results / "records").rglob("*.json")
    return results, json.loads(path.read_text())
