"""A cut download goes on where it was, and never joins bytes of two versions."""

from __future__ import annotations

import hashlib
import json
import os
import random

import pytest

from bench.errors import RequestError

WHOLE = 300_007


def cut_once(site, fetch, at: int) -> None:
    """A first run that ends with `at` bytes in the part."""
    site.cuts = [at]
    with pytest.raises(RequestError, match=f"{at} bytes are kept, run again to go on"):
        fetch(site.remote(), attempts=1)


def test_a_cut_connection_is_tried_again_in_the_same_call(site, fetch, lines):
    site.cuts = [100_000, 50_000]
    assert fetch(site.remote()).read_bytes() == site.body
    assert site.sent == [100_000, 50_000, 150_007]
    assert [ask.get("range") for ask in site.asked] == [None, "bytes=100000-", "bytes=150000-"]
    assert [ask.get("if-range") for ask in site.asked] == [None, '"first"', '"first"']
    assert lines.starts[-1] == ("downloading data.bin", WHOLE, 150_000)
    assert lines.said == ["data.bin: the connection was cut; trying again in 0.01 s"] * 2


def test_a_reset_connection_too(site, fetch):
    site.cuts, site.reset = [100_000], True
    assert fetch(site.remote()).read_bytes() == site.body
    assert site.sent[0] == 100_000
    assert len(site.sent) == 2


def test_a_cut_chunked_answer_too(site, fetch):
    site.cuts, site.length = [100_000], "chunked"
    assert fetch(site.remote(bytes=None, sha256=None)).read_bytes() == site.body
    assert site.sent == [100_000, 200_007]


@pytest.mark.parametrize("at", random.Random(0).sample(range(1, WHOLE), 8))
def test_a_later_call_transfers_only_the_rest(site, fetch, tmp_path, at):
    cut_once(site, fetch, at)
    assert sorted(os.listdir(tmp_path)) == [
        ".data.bin.lock",
        "data.bin.part",
        "data.bin.part.json",
    ]
    assert fetch(site.remote()).read_bytes() == site.body
    assert site.sent == [at, WHOLE - at]
    assert sorted(os.listdir(tmp_path)) == [".data.bin.lock", "data.bin", "data.bin.ok"]


def test_what_is_said_when_the_tries_are_used_up(site, fetch, tmp_path):
    site.cuts = [100_000, 0, 0, 0, 0, 0]
    with pytest.raises(RequestError) as caught:
        fetch(site.remote(), attempts=3, otherwise="or go on with another backbone")
    assert str(caught.value) == (
        f"cannot download {site.url()}: the connection was cut; 100000 bytes are kept, run again "
        f"to go on; or put the file by hand in {tmp_path} as data.bin; "
        "or go on with another backbone"
    )
    assert len(site.asked) == 3
    assert not (tmp_path / "data.bin").exists()


def test_every_new_byte_gives_new_patience(site, fetch):
    site.cuts = [30_000] * 9
    assert fetch(site.remote(), attempts=2).read_bytes() == site.body
    assert site.sent == [30_000] * 9 + [WHOLE - 9 * 30_000]


def test_a_server_without_ranges_starts_over(site, fetch, lines):
    site.cuts, site.ranges = [100_000], False
    assert fetch(site.remote()).read_bytes() == site.body
    assert site.sent == [100_000, WHOLE]
    assert lines.said[-1] == "data.bin: the server sends it from byte 0 again; starting over"


def test_a_changed_card_starts_over(site, fetch):
    cut_once(site, fetch, 100_000)
    site.body = site.body[::-1]
    assert fetch(site.remote()).read_bytes() == site.body
    assert site.sent == [100_000, WHOLE]


@pytest.mark.parametrize(
    ("validator", "obeys"),
    # Not ("date", False): nothing but If-Range tells two dates of one length apart.
    [("etag", True), ("etag", False), ("weak", True), ("weak", False), ("date", True)],
)
def test_no_hash_and_a_changed_file(site, fetch, lines, validator, obeys):
    """A server may ignore If-Range; the ETag of its answer still tells."""
    site.obeys_if_range = obeys
    first = {"etag": '"first"', "weak": 'W/"first"', "date": None}[validator]
    site.etag, site.modified = first, "Sat, 21 Nov 2026 01:00:00 GMT" if first is None else None
    site.cuts = [100_000]
    remote = site.remote(sha256=None)
    with pytest.raises(RequestError, match="100000 bytes are kept"):
        fetch(remote, attempts=1)
    site.body = site.body[::-1]
    if validator == "date":
        site.modified = "Sat, 21 Nov 2026 02:00:00 GMT"
    else:
        site.etag = first.replace("first", "second")
    assert fetch(remote).read_bytes() == site.body
    assert site.sent[-1] == WHOLE
    # A weak ETag promises nothing of bytes, so it may not stand in If-Range.
    assert site.asked[1].get("if-range") == {
        "etag": '"first"',
        "weak": None,
        "date": "Sat, 21 Nov 2026 01:00:00 GMT",
    }.get(validator)
    if validator != "weak" and obeys:
        expected = "data.bin: the server sends it from byte 0 again; starting over"
    else:
        expected = "data.bin: the server has another part or version; starting over"
    assert lines.said[-1] == expected


def test_without_hash_and_validator_nothing_is_gone_on_with(site, fetch):
    site.etag = None
    site.cuts = [100_000]
    assert fetch(site.remote(sha256=None)).read_bytes() == site.body
    assert site.sent == [100_000, WHOLE]
    assert "range" not in site.asked[1]


def test_a_seam_that_only_the_hash_shows_is_fetched_again(site, fetch, lines, tmp_path):
    site.etag = None
    cut_once(site, fetch, 100_000)
    part = tmp_path / "data.bin.part"
    part.write_bytes(b"?" * 100_000)
    assert fetch(site.remote()).read_bytes() == site.body
    assert site.sent == [100_000, WHOLE - 100_000, WHOLE]
    assert lines.said[-1].endswith("; starting over, as it came over several connections")
    assert f"expected {site.remote().sha256}" in lines.said[-1]


def test_a_source_that_stays_wrong_is_not_fetched_for_ever(site, fetch):
    site.cuts = [100_000, None] * 5
    with pytest.raises(RequestError, match="is refused: its sha256 is"):
        fetch(site.remote(sha256="0" * 64))
    assert site.sent == [100_000, WHOLE - 100_000] * 2


def test_another_length_without_any_etag_starts_over(site, fetch, lines):
    site.etag, site.cuts = None, [100_000]
    later = site.body + b"more"
    remote = site.remote(bytes=None, sha256=hashlib.sha256(later).hexdigest())
    with pytest.raises(RequestError, match="100000 bytes are kept"):
        fetch(remote, attempts=1)
    site.body = later
    assert fetch(remote).read_bytes() == later
    assert lines.said == ["data.bin: the server has another part or version; starting over"]


def test_a_part_longer_than_the_file_starts_over(site, fetch, lines, tmp_path):
    cut_once(site, fetch, 100_000)
    (tmp_path / "data.bin.part").write_bytes(site.body + b"more")
    assert fetch(site.remote()).read_bytes() == site.body
    assert site.sent == [100_000, WHOLE]
    assert lines.said == ["data.bin: the part at hand is longer than the file; starting over"]


def test_a_whole_part_is_only_checked(site, fetch, tmp_path):
    cut_once(site, fetch, 100_000)
    (tmp_path / "data.bin.part").write_bytes(site.body)
    assert fetch(site.remote()).read_bytes() == site.body
    assert len(site.asked) == 1


def test_a_whole_part_of_unknown_length_is_told_by_416(site, fetch, tmp_path):
    site.length, site.cuts = "chunked", [100_000]
    remote = site.remote(bytes=None, sha256=None)
    with pytest.raises(RequestError, match="100000 bytes are kept"):
        fetch(remote, attempts=1)
    (tmp_path / "data.bin.part").write_bytes(site.body)
    assert fetch(remote).read_bytes() == site.body
    assert site.sent == [100_000]
    assert site.asked[1]["range"] == f"bytes={WHOLE}-"


def test_a_part_that_is_too_long_for_the_server_is_told_by_416(site, fetch, lines, tmp_path):
    site.length, site.cuts = "chunked", [100_000]
    remote = site.remote(bytes=None, sha256=None)
    with pytest.raises(RequestError, match="100000 bytes are kept"):
        fetch(remote, attempts=1)
    (tmp_path / "data.bin.part").write_bytes(site.body + b"more")
    assert fetch(remote).read_bytes() == site.body
    assert site.sent == [100_000, WHOLE]
    assert lines.said == ["data.bin: the server has another part or version; starting over"]


@pytest.mark.parametrize("change", ["url", "note gone", "note broken"])
def test_a_part_of_unknown_origin_starts_over(site, fetch, tmp_path, change):
    cut_once(site, fetch, 100_000)
    note = tmp_path / "data.bin.part.json"
    if change == "url":
        content = json.loads(note.read_text())
        note.write_text(json.dumps({**content, "url": "https://elsewhere.org/data.bin"}))
    elif change == "note gone":
        note.unlink()
    else:
        note.write_text("{")
    assert fetch(site.remote()).read_bytes() == site.body
    assert "range" not in site.asked[1]


def test_a_server_that_answers_another_range_starts_over(site, fetch, lines):
    cut_once(site, fetch, 100_000)
    site.span = f"bytes 5-{WHOLE - 1}/{WHOLE}"
    assert fetch(site.remote()).read_bytes() == site.body
    assert lines.said == ["data.bin: the server has another part or version; starting over"]
