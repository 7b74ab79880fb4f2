"""From a card to a prepared copy, over a real server on this machine."""

from __future__ import annotations

import hashlib
import io
import shutil
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import nibabel
import numpy as np
import pytest

from bench.cli.new import write_skeleton
from bench.cli.prepare import describe
from bench.data.ready import make_ready
from bench.errors import RequestError
from bench.registry import discover

CASES = ("a", "b", "c", "d")


class Quiet(SimpleHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    folder = tmp_path / "served"
    folder.mkdir()
    Quiet.asked.clear()
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{http.server_address[1]}"
    http.shutdown()


def archive() -> bytes:
    """Four cases below one folder of the archive's own, as most archives have."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for number, case in enumerate(CASES):
            label = np.zeros((6, 5, 4), np.uint8)
            label[1:3, 1:3, number % 4] = 1
            image = label.astype(np.int16) * 100 + number
            for name, voxels in (("image", image), ("label", label)):
                nifti = nibabel.Nifti1Image(voxels, np.diag([1, 1, 3, 1.0]))
                file.writestr(f"release/{case}/{name}.nii", nifti.to_bytes())
    return content.getvalue()


def dataset(tmp_path: Path, url: str, sha256: str) -> Path:
    include = tmp_path / "include"
    write_skeleton("dataset", "remote", include)
    card = include / "remote" / "card.yaml"
    text = card.read_text().replace("cases: null", "cases: 4")
    text += f"files: [{{url: '{url}/set.zip', name: set.zip, sha256: '{sha256}'}}]\n"
    card.write_text(text)
    module = include / "remote" / "dataset.py"
    module.write_text(module.read_text().replace(".nii.gz", ".nii"))
    return include


def data(tmp_path: Path, root: Path | None = None, partial: bool = False) -> dict[str, object]:
    return {
        "root": None if root is None else str(root),
        "cache": str(tmp_path / "cache"),
        "partial": partial,
        "skip_bad": False,
    }


def test_downloaded_once_checked_unpacked_converted_and_split(
    server: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, url = server
    content = archive()
    (folder / "set.zip").write_bytes(content)
    include = dataset(tmp_path, url, hashlib.sha256(content).hexdigest())
    registry = discover([include])
    copy = make_ready(registry, "remote", {}, data(tmp_path))
    assert "remote: downloading set.zip (size not stated)" in capsys.readouterr().out
    assert copy.name == "remote"
    assert [case.case for case in copy.store.manifest.cases] == list(CASES)
    volume = copy.store.volume("b", with_label=True)
    assert volume.image.shape == (4, 5, 6)
    assert volume.spacing == (3.0, 1.0, 1.0)
    drawn = copy.resolve("0", "1", probe_patients=1)
    parts = [*(s.case for s in drawn.support), *drawn.probe, *drawn.test]
    assert len(set(parts)) == len(parts)

    again = make_ready(registry, "remote", {}, data(tmp_path))
    assert Quiet.asked == ["/set.zip"], "a second call downloads nothing"
    assert again.fingerprint == copy.fingerprint
    assert again.resolve("0", "1", probe_patients=1) == drawn


def test_the_split_that_was_drawn_is_named_and_can_be_committed(
    server: tuple[Path, str], tmp_path: Path
) -> None:
    include = dataset(tmp_path, server[1], "0" * 64)
    with zipfile.ZipFile(io.BytesIO(archive())) as file:
        file.extractall(tmp_path)
    registry, given = discover([include]), data(tmp_path, root=tmp_path / "release")
    copy = make_ready(registry, "remote", {}, given)
    store = copy.store.folder
    assert copy.drawn == store.with_name(f"{store.name}-split.json")
    assert f"split drawn by our rule, kept in {copy.drawn}" in describe(copy)

    shutil.copy(copy.drawn, include / "remote" / "split.json")
    committed = make_ready(registry, "remote", {}, given)
    assert committed.drawn is None
    assert "split drawn" not in describe(committed)
    assert committed.fingerprint == copy.fingerprint
    assert committed.book == copy.book


def test_a_wrong_hash_is_refused(server: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = server
    (folder / "set.zip").write_bytes(archive())
    include = dataset(tmp_path, url, "0" * 64)
    with pytest.raises(RequestError, match=r"set\.zip from .* is refused"):
        make_ready(discover([include]), "remote", {}, data(tmp_path))
    assert not (tmp_path / "cache" / "volumes").exists()


def test_a_root_without_a_copy_says_what_to_do(server: tuple[Path, str], tmp_path: Path) -> None:
    include = dataset(tmp_path, server[1], "0" * 64)
    with pytest.raises(RequestError, match=r"remote: no copy of it in .*leave data\.root out"):
        make_ready(discover([include]), "remote", {}, data(tmp_path, root=tmp_path))
    assert Quiet.asked == []


def test_a_copy_that_lacks_cases_is_refused_or_named(
    server: tuple[Path, str], tmp_path: Path
) -> None:
    include = dataset(tmp_path, server[1], "0" * 64)
    with zipfile.ZipFile(io.BytesIO(archive())) as file:
        file.extractall(tmp_path, [n for n in file.namelist() if not n.startswith("release/d")])
    root = tmp_path / "release"
    registry = discover([include])
    with pytest.raises(RequestError, match=r"remote: 1 of 4 cases are missing.*data\.partial=true"):
        make_ready(registry, "remote", {}, data(tmp_path, root=root))
    copy = make_ready(registry, "remote", {}, data(tmp_path, root=root, partial=True))
    assert copy.name == "remote, 3 of 4 cases"
