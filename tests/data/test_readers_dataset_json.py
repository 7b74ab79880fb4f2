"""dataset.json in its three dialects, and what is said of a wrong one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.data.readers import DatasetJson, read_dataset_json
from bench.errors import RequestError


def described(folder: Path, **content: Any) -> DatasetJson:
    (folder / "dataset.json").write_text(json.dumps(content))
    return read_dataset_json(folder)


def test_nnunet_2(tmp_path: Path) -> None:
    read = described(
        tmp_path,
        channel_names={"0": "T2", "1": "ADC"},
        labels={"background": 0, "b": 2, "a": 1, "ignore": 3},
        numTraining=2,
        file_ending=".nii.gz",
    )
    assert read.classes == ("a", "b")
    assert read.ignore == 3
    assert read.channels == ("T2", "ADC")
    assert read.training == ()
    assert read.name == tmp_path.name


def test_decathlon(tmp_path: Path) -> None:
    read = described(
        tmp_path,
        name="Spleen",
        modality={"0": "CT"},
        labels={"0": "background", "1": "spleen"},
        training=[{"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}],
        patients={"a": "p"},
        sites={"a": "s"},
    )
    assert (read.name, read.classes, read.ignore) == ("Spleen", ("spleen",), None)
    assert read.training == (("./imagesTr/a.nii.gz", "./labelsTr/a.nii.gz"),)
    assert (read.patients, read.sites) == ({"a": "p"}, {"a": "s"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "'labels' is missing or empty"),
        ({"labels": {}}, "'labels' is missing or empty"),
        ({"labels": ["liver"]}, "'labels' is missing or empty"),
        ({"labels": {"all": [1, 2]}}, "one whole number; regions are not read"),
        ({"labels": {"a": "one"}}, "one whole number; regions are not read"),
        ({"labels": {"a": 1, "b": 1}}, "names a structure or a value twice"),
        ({"labels": {"0": "a", "1": "a"}}, "names a structure or a value twice"),
        ({"labels": {"a": 1}, "training": 5}, "'training' must list objects with image and label"),
        ({"labels": {"a": 1}, "training": ["x"]}, "'training' must list objects"),
        (
            {"labels": {"a": 1}, "training": [{"image": "../x", "label": "y"}]},
            "'training' points out of its folder in entry 1",
        ),
        (
            {"labels": {"a": 1}, "training": [{"image": "x", "label": "/y"}]},
            "'training' points out of its folder in entry 1",
        ),
        ({"labels": {"a": 1}, "sites": []}, "'sites' must map a case to its site"),
        ({"labels": {"a": 1}, "patients": "p"}, "'patients' must map a case to its patient"),
    ],
)
def test_wrong_content(tmp_path: Path, content: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        described(tmp_path, **content)


@pytest.mark.parametrize(
    ("labels", "found"), [({"a": 2}, "2"), ({"a": 1, "b": 3}, "1, 3"), ({"background": 0}, "noth")]
)
def test_classes_count_without_a_gap(tmp_path: Path, labels: dict[str, int], found: str) -> None:
    with pytest.raises(RequestError, match=f"without a gap, not {found}"):
        _ = described(tmp_path, labels=labels).classes


def test_files_that_are_no_json(tmp_path: Path) -> None:
    with pytest.raises(
        RequestError, match=r"has no dataset\.json; write one with its labels, such"
    ):
        read_dataset_json(tmp_path)
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(RequestError, match="is not readable as JSON"):
        read_dataset_json(tmp_path)
    (tmp_path / "dataset.json").write_text("[]")
    with pytest.raises(RequestError, match="holds no JSON object"):
        read_dataset_json(tmp_path)
