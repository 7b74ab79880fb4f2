"""A card's file and what is found on disk."""

from __future__ import annotations

import pytest

from bench.errors import RequestError
from bench.fetch import RemoteFile, Silent
from bench.fetch.checksum import Digests, difference, digests

URL = "https://files.example.org/records/1/training%20data.zip?download=1"
# Of b"abc": FIPS 180-2 appendix B.1 and RFC 1321 appendix A.5.
ABC_SHA256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
ABC_MD5 = "900150983cd24fb0d6963f7d28e17f72"


def test_name_comes_from_the_url_and_hashes_are_lower_case():
    remote = RemoteFile(URL, sha256=ABC_SHA256.upper(), md5=ABC_MD5.upper())
    assert remote.name == "training data.zip"
    assert (remote.sha256, remote.md5) == (ABC_SHA256, ABC_MD5)
    assert RemoteFile(URL, name="train.zip").name == "train.zip"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"url": "ftp://a.org/x"}, "'ftp://a.org/x' is no http or https URL; mend the card"),
        ({"url": "x.zip"}, "'x.zip' is no http or https URL; mend the card"),
        ({"url": "https://a.org/"}, "'' is no file name for https://a.org/; give the card a name"),
        ({"name": "../x"}, f"'../x' is no file name for {URL}; give the card a name"),
        ({"name": "a\\b"}, f"'a\\\\b' is no file name for {URL}; give the card a name"),
        ({"name": ".x"}, f"'.x' is no file name for {URL}; give the card a name"),
        (
            {"url": "https://a.org/..%2Fx"},
            "'../x' is no file name for https://a.org/..%2Fx; give the card a name",
        ),
        ({"bytes": 0}, "training data.zip: a size of 0 bytes makes no sense; mend the card"),
        (
            {"sha256": "12"},
            "training data.zip: '12' is no sha256 (64 hexadecimal digits); mend the card",
        ),
        (
            {"md5": "g" * 32},
            f"training data.zip: '{'g' * 32}' is no md5 (32 hexadecimal digits); mend the card",
        ),
    ],
)
def test_a_malformed_card(changes, message):
    with pytest.raises(RequestError) as caught:
        RemoteFile(**{"url": URL, **changes})
    assert str(caught.value) == message


def test_digests_are_the_published_ones(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert digests(path, md5=True, meter=Silent()) == Digests(3, ABC_SHA256, ABC_MD5)
    assert digests(path, md5=False, meter=Silent()).md5 is None


def test_difference_names_the_first_thing_that_is_wrong():
    found = Digests(3, ABC_SHA256, ABC_MD5)
    zeros = "0" * 64
    assert difference(found, RemoteFile(URL)) is None
    assert difference(found, RemoteFile(URL, 3, ABC_SHA256, ABC_MD5)) is None
    assert difference(found, RemoteFile(URL, 4, zeros)) == "its size is 3 bytes, expected 4"
    assert difference(found, RemoteFile(URL, 3, zeros)) == (
        f"its sha256 is {ABC_SHA256}, expected {zeros}"
    )
    assert difference(found, RemoteFile(URL, 3, ABC_SHA256, "0" * 32)) == (
        f"its md5 is {ABC_MD5}, expected {'0' * 32}"
    )
