"""No file to be had: one line with the reason, the URL, and where to put the file by hand."""

from __future__ import annotations

import socket

import pytest
import requests

from bench.errors import RequestError
from bench.fetch.connect import RefusedError, check_redirect, retry_after
from bench.fetch.remote import RemoteFile


def failure(fetch, remote, **more: object) -> str:
    with pytest.raises(RequestError) as caught:
        fetch(remote, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def by_hand(tmp_path) -> str:
    return f"put the file by hand in {tmp_path} as data.bin"


@pytest.mark.parametrize(
    ("status", "words"), [(404, "Not Found"), (403, "Forbidden"), (401, "Unauthorized")]
)
def test_the_server_says_no(site, fetch, by_hand, status, words):
    site.statuses = [status]
    assert failure(fetch, site.remote()) == (
        f"cannot download {site.url()}: the server answers {status} {words}; {by_hand}"
    )
    assert len(site.asked) == 1


def test_a_busy_server_is_asked_again(site, fetch, lines):
    site.statuses = [503]
    site.headers = {"Retry-After": "0"}
    assert fetch(site.remote()).read_bytes() == site.body
    assert lines.said == [
        "data.bin: the server answers 503 Service Unavailable; trying again in 0 s"
    ]


def test_a_server_that_stays_busy(site, fetch, by_hand):
    site.statuses = [503] * 9
    assert failure(fetch, site.remote()) == (
        f"cannot download {site.url()}: the server answers 503 Service Unavailable; {by_hand}"
    )
    assert len(site.asked) == 2


@pytest.mark.parametrize(
    ("header", "seconds"), [(None, None), ("7", 7.0), ("86400", 60.0), ("Sat, 21 Nov 2026", None)]
)
def test_a_wait_is_bounded(header, seconds):
    assert retry_after(header) == seconds


def test_nobody_listens(fetch, by_hand, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/data.bin"
    assert failure(fetch, RemoteFile(url)) == (
        f"cannot download {url}: 127.0.0.1 refuses the connection; {by_hand}"
    )


def test_no_name_resolution(fetch, by_hand, monkeypatch, lines):
    def no_network(*args: object, **more: object) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    url = "https://files.example.org/data.bin"
    assert failure(fetch, RemoteFile(url), otherwise="or go on with backbone=nano") == (
        f"cannot download {url}: the host name files.example.org cannot be resolved (no network?); "
        f"{by_hand}; or go on with backbone=nano"
    )
    assert len(lines.said) == 1  # one more try, said, and no longer wait without any network


def test_a_server_that_never_answers(site, fetch, by_hand):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/data.bin"
        assert failure(fetch, RemoteFile(url), timeout=0.1, attempts=1) == (
            f"cannot download {url}: 127.0.0.1 does not answer within 0.1 s; {by_hand}"
        )


def test_a_server_that_stops_sending(site, fetch, by_hand):
    site.hold_at = 81_920
    assert failure(fetch, site.remote(), timeout=0.2, attempts=1) == (
        f"cannot download {site.url()}: the server stopped sending; "
        f"81920 bytes are kept, run again to go on; or {by_hand}"
    )


def test_an_unreachable_network(fetch, by_hand, monkeypatch):
    def late(*args: object, **more: object) -> None:
        raise requests.ConnectTimeout("timed out")

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", late)
    url = "https://files.example.org/data.bin"
    assert failure(fetch, RemoteFile(url)) == (
        f"cannot download {url}: files.example.org cannot be reached (no network?); {by_hand}"
    )


def test_a_bad_certificate_is_not_tried_again(fetch, by_hand, monkeypatch, lines):
    def unsafe(*args: object, **more: object) -> None:
        raise requests.exceptions.SSLError("certificate verify failed:\nself-signed")

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", unsafe)
    url = "https://files.example.org/data.bin"
    assert failure(fetch, RemoteFile(url)) == (
        f"cannot download {url}: no safe connection to files.example.org: "
        f"certificate verify failed: self-signed; {by_hand}"
    )
    assert lines.said == []


def test_shorter_than_the_card_says(site, fetch, by_hand):
    assert failure(fetch, site.remote(bytes=400_000)) == (
        f"data.bin: {site.url()} offers 300007 bytes, expected 400000; "
        f"if the source has changed mend the card, or {by_hand}"
    )
    assert len(site.asked) == 1


def test_shorter_than_the_card_says_and_the_server_only_shows_it_at_the_end(site, fetch, by_hand):
    site.length = "chunked"
    assert failure(fetch, site.remote(bytes=400_000)) == (
        f"data.bin: {site.url()} offers 300007 bytes, expected 400000; "
        f"if the source has changed mend the card, or {by_hand}"
    )
    assert [ask.get("range") for ask in site.asked] == [None, "bytes=300007-"]


def test_a_login_page_instead_of_the_file(site, fetch, by_hand):
    remote = site.remote()
    site.body, site.kind = b"<html>Log in</html>", "text/html; charset=utf-8"
    assert failure(fetch, remote) == (
        f"data.bin: {site.url()} offers 19 bytes (a web page: the source may ask for a login), "
        f"expected 300007; if the source has changed mend the card, or {by_hand}"
    )


def test_longer_than_the_card_says(site, fetch, by_hand, tmp_path):
    site.length = "chunked"
    assert failure(fetch, site.remote(bytes=200_000)) == (
        f"data.bin: {site.url()} sends more than the 200000 bytes expected; "
        f"if the source has changed mend the card, or {by_hand}"
    )
    assert not (tmp_path / "data.bin.part").exists()


def test_redirects_are_followed_and_ranges_go_with_them(site, fetch):
    site.redirect, site.cuts = "/data.bin", [100_000]
    remote = site.remote(url=site.url("away"), name="data.bin")
    assert fetch(remote).read_bytes() == site.body
    assert [ask.get("range") for ask in site.asked] == [None, None, *["bytes=100000-"] * 2]


def test_a_circle_of_redirects(site, fetch, by_hand):
    site.redirect = "/away"
    url = site.url("away")
    assert failure(fetch, site.remote(url=url, name="data.bin")) == (
        f"cannot download {url}: more than 10 redirects; {by_hand}"
    )


def test_a_redirect_to_nowhere(site, fetch, by_hand):
    site.redirect = "http://[bad"
    url = site.url("away")
    assert failure(fetch, site.remote(url=url, name="data.bin")) == (
        f"cannot download {url}: Invalid IPv6 URL; {by_hand}"
    )


def test_plain_http_to_another_host_is_refused(site, fetch, by_hand):
    site.redirect = site.url(host="localhost")
    url = site.url("away")
    assert failure(fetch, site.remote(url=url, name="data.bin")) == (
        f"cannot download {url}: it redirects over plain http to another host, {site.redirect}, "
        f"which is refused; {by_hand}"
    )
    assert len(site.asked) == 1


def test_https_to_http_is_refused(fetch, by_hand, monkeypatch):
    asked: list[str] = []

    def redirect(adapter: object, request: requests.PreparedRequest, **more: object):
        asked.append(str(request.url))
        answer = requests.Response()
        answer.request, answer.status_code = request, 302
        answer.headers["Location"] = "http://files.example.org/data.bin"
        return answer

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", redirect)
    url = "https://files.example.org/data.bin"
    assert failure(fetch, RemoteFile(url)) == (
        f"cannot download {url}: it redirects from https to plain http, "
        f"http://files.example.org/data.bin, which is refused; {by_hand}"
    )
    assert asked == [url]


@pytest.mark.parametrize(
    ("here", "there", "refused"),
    [
        ("https://a.org/x", "https://b.org/x", None),
        ("http://a.org/x", "https://b.org/x", None),
        ("http://a.org/x", "http://a.org/y", None),
        ("http://a.org/x", "http://b.org/x", "over plain http to another host, http://b.org/x,"),
        ("https://a.org/x", "http://a.org/x", "from https to plain http, http://a.org/x,"),
        ("https://a.org/x", "file:///etc/passwd", "file:///etc/passwd, which is no http or https"),
    ],
)
def test_redirect_rules(here, there, refused):
    if refused is None:
        check_redirect(here, there)
    else:
        with pytest.raises(RefusedError) as caught:
            check_redirect(here, there)
        assert refused in str(caught.value)
