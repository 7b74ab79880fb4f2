"""A process that is killed, and two at once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

CHILD = """
import sys
from bench.fetch import RemoteFile, download
url, size, sha256, folder = sys.argv[1:]
print(download(RemoteFile(url, int(size), sha256), folder), flush=True)
"""


@pytest.fixture
def child(site, tmp_path, project_root):
    """Starts processes that download the site's file into tmp_path."""
    running: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        remote = site.remote()
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, remote.url, str(remote.bytes), remote.sha256, tmp_path],
            cwd=project_root,
            env={**os.environ, "PYTHONPATH": str(project_root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def wait_for_size(path: Path, size: int) -> None:
    end = time.monotonic() + 15
    while not path.exists() or path.stat().st_size < size:
        assert time.monotonic() < end, f"{path} never grew to {size} bytes"
        time.sleep(0.01)


def test_killed_in_the_middle_then_resumed(site, child, fetch, tmp_path):
    site.hold_at = 163_840
    process = child()
    assert site.held.wait(15)
    part = tmp_path / "data.bin.part"
    wait_for_size(part, 150_000)
    process.kill()
    assert process.wait() == -9
    kept = part.stat().st_size
    assert 150_000 <= kept <= 163_840
    assert not (tmp_path / "data.bin").exists()
    site.hold_at = None
    site.hold.set()
    assert fetch(site.remote()).read_bytes() == site.body
    assert site.asked[1]["range"] == f"bytes={kept}-"
    assert site.sent[1] == len(site.body) - kept


def test_two_at_once_transfer_once(site, child, tmp_path):
    site.hold_at = 163_840
    first = child()
    assert site.held.wait(15)
    second = child()
    waiting = second.stderr.readline()
    assert waiting == "another process is downloading data.bin; waiting for it\n"
    site.hold.set()
    for process in (first, second):
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (0, f"{tmp_path / 'data.bin'}\n"), err
    assert site.sent == [len(site.body)]
    assert len(site.asked) == 1
    assert (tmp_path / "data.bin").read_bytes() == site.body


def test_lines_in_a_log(site, child):
    _, err = child().communicate(timeout=60)
    lines = err.splitlines()
    assert lines[0] == "downloading data.bin: 300.0 kB"
    assert lines[1].startswith("downloading data.bin: done, 300.0 kB in ")
    assert len(lines) == 2
