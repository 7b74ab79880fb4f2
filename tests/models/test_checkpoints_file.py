"""From a card to a checked file: shipped, cached, downloaded, brought by hand, or refused."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.errors import RequestError
from bench.fetch import Silent
from bench.models.checkpoints import (
    CheckpointCard,
    card_of,
    checkpoint_file,
    checkpoint_hash,
    checkpoint_place,
    checkpoint_rows,
    prepare_backbone,
)
from bench.models.checkpoints import describe as describe_module
from bench.models.checkpoints import file as file_module

BODY = b"weights of a small network" * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()
MD5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()


class Quiet(SimpleHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        super().do_GET()

    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """A real server with one file, `small.pth`; `server.asked` is what it was asked for."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    site = tmp_path / "site"
    site.mkdir()
    (site / "small.pth").write_bytes(BODY)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the package's own weights."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    monkeypatch.setattr(file_module, "SHIPPED", folder)
    return folder


def online(server: ThreadingHTTPServer, **changes: object) -> CheckpointCard:
    """The card of DINOv2 ViT-S, its file that of the server."""
    truth = {
        "url": f"http://127.0.0.1:{server.server_address[1]}/small.pth",
        "file": "small.pth",
        "bytes": len(BODY),
        "sha256": SHA256,
    }
    return card_of("dino", "vits14").model_copy(update={**truth, **changes})


def refusal(card: CheckpointCard, cache: Path) -> str:
    with pytest.raises(RequestError) as caught:
        checkpoint_file(card, cache, progress=Silent())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_download_is_checked_kept_and_not_asked_for_again(
    server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    card = online(server)
    path = checkpoint_file(card, cache, progress=Silent())
    assert path == cache / "weights" / "small.pth" == checkpoint_place(card, cache)
    assert path.read_bytes() == BODY
    assert checkpoint_file(card, str(cache), progress=Silent()) == path
    assert server.asked == ["/small.pth"]


def test_a_file_with_another_hash_is_refused_and_not_kept(
    server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    wrong = "0" * 64
    message = refusal(online(server, sha256=wrong), tmp_path)
    assert f"is refused: its sha256 is {SHA256}, expected {wrong}" in message
    assert message.endswith("; or go on with backbone=nano")
    assert not (tmp_path / "weights" / "small.pth").exists()


def test_where_only_an_md5_is_published_it_is_checked(
    server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    card = online(server, bytes=None, sha256=None, md5=MD5)
    assert checkpoint_file(card, tmp_path, progress=Silent()).read_bytes() == BODY
    other = online(server, bytes=None, sha256=None, md5="0" * 32, file="other.pth")
    assert f"its md5 is {MD5}, expected {'0' * 32}" in refusal(other, tmp_path)


def test_offline_the_refusal_says_where_from_where_to_and_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*args: object, **more: object) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr("bench.fetch.transfer.time.sleep", lambda seconds: None)
    card = card_of("sam", "vit_b")
    message = refusal(card, tmp_path)
    assert card.url is not None
    assert message == (
        f"cannot download {card.url}: the host name dl.fbaipublicfiles.com cannot be resolved (no "
        f"network?); put the file by hand in {tmp_path / 'weights'} as sam_vit_b_01ec64.pth; "
        "or go on with backbone=nano"
    )


def test_a_file_put_there_by_hand_is_taken_if_it_is_the_right_one(
    server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    place = tmp_path / "weights" / "small.pth"
    place.parent.mkdir()
    place.write_bytes(BODY)
    assert checkpoint_file(online(server), tmp_path, progress=Silent()) == place
    assert server.asked == []
    place.write_bytes(BODY + b"!")
    assert checkpoint_file(online(server), tmp_path, progress=Silent()).read_bytes() == BODY
    assert server.asked == ["/small.pth"]


def test_a_shipped_file_lies_in_the_package_whatever_the_cache(
    shipped: Path, tmp_path: Path
) -> None:
    card = card_of("sam2", "nano")
    assert refusal(card, tmp_path) == (
        f"sam2 nano: {shipped / 'sam2.safetensors'} is missing from the package; install it again"
    )
    (shipped / "sam2.safetensors").write_bytes(b"x")
    assert checkpoint_file(card, tmp_path) == shipped / "sam2.safetensors"
    assert not (tmp_path / "weights").exists()


def test_the_package_ships_from_the_nano_folder(project_root: Path) -> None:
    assert project_root / "bench/models/nano/weights" == file_module.SHIPPED


def test_weights_that_need_an_account_are_brought_by_hand(tmp_path: Path) -> None:
    card = card_of("dino", "vits16_dinov3")
    message = refusal(card, tmp_path)
    assert message == (
        "dino vits16_dinov3 cannot be downloaded for you: ask Meta for the DINOv3 weights "
        "(https://ai.meta.com/dinov3) and accept their licence; put the file in "
        f"{tmp_path / 'weights'} as dinov3_vits16_pretrain_lvd1689m-08c60483.pth, or go on with "
        "backbone=nano"
    )
    with pytest.raises(RequestError, match="cannot be downloaded for you"):
        checkpoint_hash(card, tmp_path)
    place = tmp_path / "weights" / card.file
    place.parent.mkdir()
    place.write_bytes(BODY)
    assert checkpoint_file(card, tmp_path) == place
    assert checkpoint_hash(card, tmp_path) == SHA256


def test_the_hash_is_the_pinned_one_else_that_of_the_file(shipped: Path, tmp_path: Path) -> None:
    pinned = "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912"
    assert checkpoint_hash(card_of("sam", "vit_b"), tmp_path) == pinned
    medsam = checkpoint_hash(card_of("sam", "medsam"), tmp_path)
    assert medsam == "md5:3bb6db55bd0c9ca30b61248bca72f8d6"
    nano = card_of("sam", "nano")
    place = shipped / nano.file
    place.write_bytes(BODY)
    assert checkpoint_hash(nano, tmp_path) == SHA256
    place.write_bytes(BODY + b"!")  # trained on: another file at the same place
    assert checkpoint_hash(nano, tmp_path) == hashlib.sha256(BODY + b"!").hexdigest()


def test_without_a_cache_folder_it_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", os.sep + "home-of-a-test")
    place = checkpoint_place(card_of("sam", "vit_b"))
    assert place == Path("/home-of-a-test/.cache/sambench/weights/sam_vit_b_01ec64.pth")


def test_prepare_describes_what_is_there(
    server: ThreadingHTTPServer, shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shipped / "sam.safetensors").write_bytes(BODY)
    cards = {"sam": card_of("sam", "nano"), "dino": online(server)}
    monkeypatch.setattr(describe_module, "card_of", lambda family, name: cards[family])
    lines = prepare_backbone({"sam": "nano", "dino": "vits14"}, tmp_path, progress=Silent())
    assert lines == [
        f"sam nano: nano SAM (ViT of width 192, depth 6), 0.0 MB in {shipped / 'sam.safetensors'}, "
        f"sha256 {SHA256[:12]}, Apache-2.0; trained on images that this project draws itself; "
        "no real image of any kind",
        f"dino vits14: DINOv2 ViT-S/14, 0.0 MB in {tmp_path / 'weights' / 'small.pth'}, sha256 "
        f"{SHA256[:12]}, Apache-2.0; trained on LVD-142M (natural images)",
    ]


def test_prepare_refuses_an_unknown_name_before_anything_is_downloaded(
    server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match=r"unknown dino checkpoint 'vits41'; did you mean"):
        prepare_backbone({"sam": "vit_b", "dino": "vits41"}, tmp_path, progress=Silent())
    assert list(tmp_path.glob("weights/*")) == []


def test_rows_say_what_is_here(shipped: Path, tmp_path: Path) -> None:
    (shipped / "dino.safetensors").write_bytes(BODY)
    here = {(row["family"], row["name"]): row for row in checkpoint_rows(tmp_path)}
    assert here["dino", "nano"]["here"] == "yes"
    assert here["sam", "nano"]["here"] == "no"
    sizes = [here["sam", name]["size"] for name in ("nano", "vit_b", "medsam")]
    assert sizes == ["shipped", "375.0 MB", "not stated"]
    assert here["dino", "vits16_dinov3"]["size"] == "by hand"
