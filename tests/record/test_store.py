"""Records on the disk: found by name and key, written whole, and honest when broken."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bench.errors import RequestError
from bench.record.schema import Record
from bench.record.store import (
    find_record,
    read_record,
    read_records,
    record_files,
    record_path,
    status_of,
    write_record,
)
from tests.record.conftest import Make

KEYS = ("0123456789abcdef", "0123999999999999", "fedc000000000000")


def put(results: Path, record: Record) -> Path:
    path = record_path(results, record.request, record.key)
    write_record(path, record)
    return path


def refused(call: Any, *arguments: Any) -> str:
    with pytest.raises(RequestError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_person_finds_a_record_by_its_name(make: Make) -> None:
    record = make()
    assert record_path(Path("results"), record.request, record.key) == Path(
        "results/records/toy_data/toy/shots10pct-draw0-cpu-1min-nano-0123456789abcdef.json"
    )


def test_a_name_is_safe_whatever_was_asked(make: Make, tmp_path: Path) -> None:
    budget = {"name": "cpu-1min+seconds=90+steps=null", "seconds": 90.0}
    record = make(draw="../SAMed 221:é", backbone="nano+sam=my/own", budget=budget)
    path = put(tmp_path, record)
    assert path.parent == tmp_path / "records" / "toy_data" / "toy"
    assert path.name == (
        "shots10pct-draw.._SAMed_221__-cpu-1min+seconds=90+steps=null-nano+sam=my_own-"
        "0123456789abcdef.json"
    )
    assert find_record(tmp_path, record.key) == path
    long = put(tmp_path, make(backbone="b" * 400, key="fedc000000000000"))
    assert len(long.name) < 200
    assert find_record(tmp_path, "fedc") == long


def test_what_was_written_is_read(make: Make, tmp_path: Path) -> None:
    record = make()
    path = put(tmp_path, record)
    assert read_record(path) == record
    assert list(read_records(tmp_path)) == [record]
    assert status_of(path) == "done"
    assert os.listdir(path.parent) == [path.name]


def test_the_same_record_has_the_same_bytes(make: Make, tmp_path: Path) -> None:
    one, two = put(tmp_path / "a", make()), put(tmp_path / "b", make())
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes().endswith(b"}\n")


def test_a_record_replaces_the_one_before(make: Make, tmp_path: Path) -> None:
    put(tmp_path, make(status="failed", reason="timed out"))
    path = put(tmp_path, make())
    assert status_of(path) == "done"
    assert len(record_files(tmp_path)) == 1


def test_a_failed_write_leaves_the_old_record_and_no_litter(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path, make())

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_record(path, make(status="failed", reason="other"))
    assert os.listdir(path.parent) == [path.name]
    assert status_of(path) == "done"


def test_a_reader_never_sees_half_a_record(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new file takes the old one's place in one move, when all of it is written."""
    path = put(tmp_path, make())
    seen = []

    def look(source: Path, target: Path) -> None:
        seen.append((read_record(source).status, read_record(target).status))
        raise OSError("killed just before")

    monkeypatch.setattr(os, "replace", look)
    with pytest.raises(OSError, match="killed just before"):
        write_record(path, make(status="failed"))
    assert seen == [("failed", "done")]
    assert status_of(path) == "done"


def test_half_written_files_are_no_records(make: Make, tmp_path: Path) -> None:
    path = put(tmp_path, make())
    path.with_name(f".{path.name}.123.tmp").write_text("{")
    path.with_name(".hidden-0123456789abcdef.json").write_text("{")
    assert record_files(tmp_path) == [path]


def test_files_come_in_a_stable_order(make: Make, tmp_path: Path) -> None:
    assert record_files(tmp_path) == []
    paths = [
        put(tmp_path, make(key=key, dataset=dataset, method=method))
        for key in KEYS
        for dataset in ("b", "a")
        for method in ("y", "x")
    ]
    assert record_files(tmp_path) == sorted(paths)
    assert len({record.key for record in read_records(tmp_path)}) == 3


def broken(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text())
    for name, value in changes.items():
        content[name] = value
    path.write_text(json.dumps(content))


HINT = "; it was changed by hand or made by another version: delete it and run the unit again"


def test_a_broken_record_names_its_file_and_field(make: Make, tmp_path: Path) -> None:
    path = put(tmp_path, make())
    broken(path, cases=[{"case": "c5"}])
    assert refused(read_record, path) == f"record {path}: cases.0.patient: Field required{HINT}"
    path = put(tmp_path, make())
    broken(path, colour="red")
    assert refused(read_record, path) == (
        f"record {path}: colour: Extra inputs are not permitted{HINT}"
    )
    path = put(tmp_path, make())
    broken(path, schema_version=2)
    assert refused(read_record, path) == f"record {path}: schema_version: Input should be 1{HINT}"


@pytest.mark.parametrize("content", [b"", b"{", b'{"status": "done"', b"\xff\xfe"])
def test_a_cut_record_names_its_file(make: Make, tmp_path: Path, content: bytes) -> None:
    path = put(tmp_path, make())
    path.write_bytes(content)
    text = refused(read_record, path)
    assert text.startswith(f"record {path}: the file: Invalid JSON: ")
    assert text.endswith(HINT)
    assert refused(status_of, path) == (
        f"record {path}: not a record; delete it and run the unit again"
    )


@pytest.mark.parametrize("content", ["[]", "{}", "3", '{"status": "running"}', '{"status": null}'])
def test_something_else_is_no_record(make: Make, tmp_path: Path, content: str) -> None:
    path = put(tmp_path, make())
    path.write_text(content)
    assert refused(status_of, path) == (
        f"record {path}: not a record; delete it and run the unit again"
    )


def test_no_file_and_no_access(tmp_path: Path) -> None:
    assert status_of(tmp_path / "none.json") is None
    assert refused(read_record, tmp_path / "none.json") == (
        f"record {tmp_path / 'none.json'}: No such file or directory"
    )
    folder = tmp_path / "folder.json"
    folder.mkdir()
    assert refused(read_record, folder) == f"record {folder}: Is a directory"
    assert refused(status_of, folder) == f"record {folder}: Is a directory"


def test_a_key_may_be_short(make: Make, tmp_path: Path) -> None:
    paths = {key: put(tmp_path, make(key=key)) for key in KEYS}
    assert find_record(tmp_path, "fedc") == paths[KEYS[2]]
    assert find_record(tmp_path, "01234") == paths[KEYS[0]]
    assert find_record(tmp_path, KEYS[1]) == paths[KEYS[1]]


def test_a_key_may_be_too_short(make: Make, tmp_path: Path) -> None:
    for key in KEYS:
        put(tmp_path, make(key=key))
    assert refused(find_record, tmp_path, "0123") == (
        "record key '0123' fits 2 records; give more digits"
    )


def test_a_key_that_nothing_has(make: Make, tmp_path: Path) -> None:
    assert refused(find_record, tmp_path, "abcd") == "unknown record 'abcd'; known: none"
    put(tmp_path, make())
    assert refused(find_record, tmp_path, "0123456789abcdee") == (
        "unknown record '0123456789abcdee'; did you mean 0123456789abcdef?"
    )


@pytest.mark.parametrize("key", ["", "abc", "xyz0", "0123456789abcdef0", "../x", "ABCD"])
def test_what_is_no_key(tmp_path: Path, key: str) -> None:
    assert refused(find_record, tmp_path, key) == (
        f"{key!r} is no record key: 4 to 16 hexadecimal digits (see `ls records`)"
    )


def test_a_status_is_read_from_the_head_of_a_whole_record_alone(make: Make, tmp_path: Path) -> None:
    """A record as it is written needs no parsing; a cut one is not taken for done by its head."""
    path = tmp_path / "record.json"
    for status in ("done", "failed"):
        write_record(path, make(status=status))
        assert status_of(path) == status
    text = path.read_text()
    path.write_text(json.dumps(json.loads(text)))  # in another hand, and still a record
    assert status_of(path) == "failed"
    path.write_text(text[: len(text) // 2])
    with pytest.raises(RequestError, match="not a record; delete it and run the unit again"):
        status_of(path)
