"""`python -m bench evaluate` as a user types it: two files, two folders, wrong words."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest

import bench as package
from bench.cli import entry

SHAPE = (6, 12, 12)


def label(shift: int = 0, value: int = 1) -> np.ndarray:
    array = np.zeros(SHAPE, np.uint8)
    array[1:5, 2:8, 2 + shift : 8 + shift] = value
    return array


def save(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".npz":
        np.savez_compressed(path, label=array)
    else:
        nibabel.save(nibabel.Nifti1Image(array.T, np.diag([1.0, 1, 2, 1])), path)
    return path


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Three cases; the third has neither class."""
    predictions, references = tmp_path / "pred", tmp_path / "ref"
    for index, shift in enumerate((0, 3)):
        save(predictions / f"case{index}.npz", label(shift))
        save(references / f"case{index}.nii.gz", label() + 2 * label(6, index))
    save(predictions / "case2.npz", label(0, 0))
    save(references / "case2.nii.gz", label(0, 0))
    (predictions / "dataset.json").write_text("{}")
    (predictions / ".hidden.npz").write_text("")
    return predictions, references


def test_two_files_on_the_terminal_and_in_a_csv(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prediction = save(tmp_path / "p.nii.gz", label(3))
    reference = save(tmp_path / "r.nii.gz", label())
    out = tmp_path / "new" / "scores.csv"
    assert entry(["evaluate", str(prediction), str(reference), "classes=organ", f"out={out}"]) == 0
    printed = capsys.readouterr().out
    header, row, *rest = printed.splitlines()
    assert header.split() == [
        *("class", "dice", "iou", "hd95", "assd", "nsd"),
        "tp",
        "fp",
        "fn",
        "empty",
    ]
    assert row.split()[:3] == ["organ", "0.5000", "0.3333"]
    assert rest == [f"wrote {out}"]
    written = pd.read_csv(out, dtype={"empty": "string"})
    expected = package.evaluate(prediction, reference, classes=["organ"])
    pd.testing.assert_frame_equal(written, expected)


def test_two_folders(folders: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    out = tmp_path / "scores.csv"
    assert entry(["evaluate", *map(str, folders), f"out={out}"]) == 0
    printed = capsys.readouterr().out
    frame = pd.read_csv(out)
    assert frame["case"].tolist() == [f"case{i}" for i in (0, 0, 1, 1, 2, 2)]
    assert frame["class"].tolist() == [1, 2] * 3
    dice = frame["dice"].to_numpy()
    assert dice[[0, 2]] == pytest.approx([1, 0.5])
    assert np.isnan(dice[4:]).all()
    for case, group in frame.groupby("case"):
        alone = package.evaluate(
            folders[0] / f"{case}.npz", folders[1] / f"{case}.nii.gz", classes=[1, 2]
        )
        assert np.allclose(group["hd95"], alone["hd95"], equal_nan=True)
    # case2 has no score for either class.
    assert "mean over the cases that have a score:" in printed
    lines = [line.split() for line in printed.split("score:")[1].splitlines()]
    assert ["1", "0.7500"] in [line[:2] for line in lines]
    assert [line[-1] for line in lines if line[:1] == ["1"]] == ["2"]


def test_unknown_spacing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(save(tmp_path / name, label())) for name in ("p.npz", "r.npz")]
    assert entry(["evaluate", *files]) == 0
    assert "spacing unknown: hd95 and assd are in voxels" in capsys.readouterr().out
    assert entry(["evaluate", *files, "spacing=2,1,1"]) == 0
    assert "unknown" not in capsys.readouterr().out


def test_a_name_of_a_file_sends_nothing_to_the_terminal(tmp_path: Path, capsys) -> None:
    for folder in ("p", "r"):
        save(tmp_path / folder / "a\x1b[31mb.npz", label())
    assert entry(["evaluate", str(tmp_path / "p"), str(tmp_path / "r")]) == 0
    printed = capsys.readouterr().out
    assert "a?[31mb" in printed
    assert "\x1b" not in printed


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert entry(["evaluate", *map(str, words)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    return printed.err


def test_a_missing_case_on_either_side_is_named(folders: tuple[Path, Path], capsys) -> None:
    save(folders[0] / "only_here.npz", label())
    (folders[0] / "case0.npz").unlink()
    out = folders[0] / "s.csv"
    error = refused(capsys, *folders, f"out={out}")
    assert "no prediction for case0; no reference for only_here: each case needs a file" in error
    assert "nothing was scored" in error
    assert not out.exists()


def test_a_broken_pair_is_named_and_nothing_written(folders: tuple[Path, Path], capsys) -> None:
    out = folders[0].parent / "s.csv"
    save(folders[0] / "case1.npz", label()[:-1])
    assert "case case1: prediction has shape (5, 12, 12), reference has (6, 12, 12)" in refused(
        capsys, *folders, f"out={out}"
    )
    save(folders[0] / "case1.npz", label() * 0.5)
    assert "case case1: prediction is a float array" in refused(capsys, *folders, "classes=a,b")
    save(folders[0] / "case1.npz", label(0, 3))
    assert "case case1: prediction has label values outside of the classes: 3" in refused(
        capsys, *folders, "classes=a,b", f"out={out}"
    )
    assert "case case0: spacing 1 x 1 x 1 mm was given, but a file says 2 x 1 x 1" in refused(
        capsys, *folders, "spacing=1,1,1"
    )
    save(folders[0] / "case1.nii.gz", label())
    assert "has two files of case case1: case1.nii.gz and case1.npz; remove one" in refused(
        capsys, *folders
    )
    assert not out.exists()


def test_wrong_words(folders: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    one = folders[0] / "case0.npz"
    (tmp_path / "none").mkdir()
    for words, message in (
        ([one], "say evaluate PRED REF: two label maps, or a folder of each"),
        ([one, one, one], "say evaluate PRED REF"),
        ([one, folders[1]], "one is a folder, the other a file"),
        ([tmp_path / "gone", folders[1]], "gone: there is no such file"),
        ([folders[0], tmp_path / "gone"], "gone: there is no such folder"),
        ([folders[0], tmp_path / "none"], "no file of a format that is read lies in it"),
        ([one, one, "spacing=a,b,c"], "spacing=a,b,c: give a number for each axis"),
        ([one, one, "spacing=1,1"], "spacing is (1.0, 1.0): give 3 positive finite numbers"),
        ([one, one, "classes=a,,b"], "classes=a,,b: a name is empty"),
        ([one, one, "classes=a,2"], "give names alone, or label values alone"),
        ([one, one, "classes=a,a"], "classes names one class twice"),
        ([one, one, f"out={one}"], "give the name of a .csv file"),
        ([one, one, "clases=a"], "unknown option 'clases'; did you mean classes?"),
    ):
        assert message in refused(capsys, *words)
    assert np.array_equal(np.load(one)["label"], label())
