"""Files that a worker leaves: whatever it puts in their place, nothing else is opened."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from bench.contract import Volume
from bench.errors import MethodError
from bench.unit.handed import copy_handed, give_copy, read_handed
from bench.unit.predicting import PredictionError, check_prediction

SECRET = b"of the test set"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "labels" / "label.npy"
    path.parent.mkdir()
    path.write_bytes(SECRET)
    return path


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """What the worker should leave."""
    for name in ("in", "out"):
        (tmp_path / "worker" / name).mkdir(parents=True)
    return tmp_path / "worker" / "out" / "prediction.npy"


def refused(left: Path, why: str, *, most: int = 100) -> None:
    line = f"its process left no out/prediction.npy to be used: {why}"
    with pytest.raises(MethodError) as caught:
        read_handed(left, most=most)
    assert str(caught.value) == line
    target = left.parents[2] / "copied"
    with pytest.raises(MethodError):
        copy_handed(left, target, most=most)
    assert not target.exists()


def test_a_plain_file(left: Path, tmp_path: Path) -> None:
    left.write_bytes(b"label map")
    assert read_handed(left, most=9) == b"label map"
    copy_handed(left, tmp_path / "copied")
    assert (tmp_path / "copied").read_bytes() == b"label map"


def test_a_link_is_not_followed(left: Path, secret: Path) -> None:
    left.symlink_to(secret)
    refused(left, "it is a link")
    left.unlink()
    os.link(secret, left)
    refused(left, "it is no plain file")


def test_nor_is_one_in_place_of_the_folder(left: Path, secret: Path) -> None:
    secret.rename(secret.with_name("prediction.npy"))
    left.parent.rmdir()
    left.parent.symlink_to(secret.parent)
    refused(left, "Not a directory")


def test_nobody_waits_for_a_pipe(left: Path) -> None:
    os.mkfifo(left)
    refused(left, "it is no plain file")


def test_other_things(left: Path) -> None:
    refused(left, "No such file or directory")
    left.mkdir()
    refused(left, "it is no plain file")
    left.rmdir()
    with left.open("wb") as file:
        file.truncate(2**40)
    refused(left, f"it has {2**40} bytes, 100 are the most")


def test_what_is_given_overwrites_nothing_elsewhere(left: Path, secret: Path) -> None:
    source = left.with_name("state")
    source.write_bytes(b"state")
    place = left.parents[1] / "in" / "state"
    give_copy(source, place)
    place.unlink()
    place.symlink_to(secret)
    give_copy(source, place)
    assert not place.is_symlink()
    assert place.read_bytes() == b"state"
    place.unlink()
    place.parent.rmdir()
    place.parent.symlink_to(secret.parent)
    with pytest.raises(MethodError, match="left no in/state to be used: Not a directory"):
        give_copy(source, place)
    assert [path.name for path in secret.parent.iterdir()] == ["label.npy"]
    assert secret.read_bytes() == SECRET


def test_a_label_map_is_what_it_says(left: Path) -> None:
    """No memory is taken for what a header says, and nothing is unpickled."""
    volume = Volume("c", "p", np.zeros((2, 3, 4), np.float32), (1.0, 1.0, 1.0))
    facts = {"shape": [2, 3, 4], "dtype": "uint8"}
    folder = left.parents[1]
    label = np.arange(24, dtype=np.uint8).reshape(2, 3, 4) % 2
    for whole in (label, np.asfortranarray(label)):
        np.save(left, whole)
        found = check_prediction(facts, folder, volume, 1)
        assert np.array_equal(found, label)
        assert found.flags.writeable
    header = {"descr": "|u1", "fortran_order": False, "shape": (2**40, 3, 4)}
    for content in (b"", b"\x93NUMPY", left.read_bytes()[:-1], np.lib.format.magic(1, 0)):
        left.write_bytes(content)
        with pytest.raises(PredictionError, match=r"predict\(c\) left no label map: "):
            check_prediction(facts, folder, volume, 1)
    with left.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(PredictionError, match=r"its file holds uint8 \(1099511627776, 3, 4\) in 0"):
        check_prediction(facts, folder, volume, 1)
    np.save(left, np.array([{"a": 1}] * 2, dtype=object))
    with pytest.raises(PredictionError, match=r"its file holds object \(2,\) in"):
        check_prediction(facts, folder, volume, 1)


@pytest.mark.parametrize("shape", [7, None, "(2, 3, 4)", [[2], 3, 4]])
def test_an_answer_of_another_kind(left: Path, shape: object) -> None:
    volume = Volume("c", "p", np.zeros((2, 3, 4), np.float32), (1.0, 1.0, 1.0))
    with pytest.raises(PredictionError, match=r"predict\(c\) has shape .*; the volume's own grid"):
        check_prediction({"shape": shape, "dtype": "uint8"}, left.parents[1], volume, 1)
