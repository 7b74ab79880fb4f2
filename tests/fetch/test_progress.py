"""The bar, the lines, and sizes for people."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from bench.fetch import terminal_meter
from bench.fetch.checksum import digests
from bench.fetch.progress import BarMeter, LineMeter, metered
from bench.fetch.size import size_text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_960, "1.0 MB"),
        (375_042_383, "375.0 MB"),
        (2_564_550_879, "2.6 GB"),
        (7_000_000_000_000, "7.0 TB"),
    ],
)
def test_sizes(count, text):
    assert size_text(count) == text


def test_lines_say_the_size_first_and_the_end_last():
    stream = io.StringIO()
    meter = terminal_meter(stream)
    assert isinstance(meter, LineMeter)
    with metered(meter):
        meter.start("downloading a", total=2_000_000, done=0)
        meter.move(500_000)
        meter.start("downloading a", total=2_000_000, done=500_000)
        meter.move(2_000_000)
    lines = stream.getvalue().splitlines()
    assert lines[:2] == [
        "downloading a: 2.0 MB",
        "downloading a: 2.0 MB, going on at 500.0 kB",
    ]
    assert lines[2].startswith("downloading a: done, 2.0 MB in 0.")
    assert len(lines) == 3


def test_lines_do_not_say_done_after_a_failure():
    stream = io.StringIO()
    meter = terminal_meter(stream)
    meter.start("downloading a", total=None, done=0)
    with pytest.raises(ZeroDivisionError), metered(meter):
        meter.move(1 // 0)
    assert stream.getvalue() == "downloading a: size unknown\n"


def test_a_terminal_gets_a_bar(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    meter = terminal_meter(stream)
    assert isinstance(meter, BarMeter)
    with metered(meter):
        meter.start("downloading [a]", total=2_000_000, done=0)
        meter.move(1_000_000)
        meter.say("the connection was cut [b]")
        meter.start("downloading [a]", total=2_000_000, done=1_000_000)
        meter.move(2_000_000)
    text = stream.getvalue()
    assert "downloading [a]" in text
    assert "2.0/2.0 MB" in text
    assert "the connection was cut [b]\n" in text
    meter.say("after the bar")
    assert stream.getvalue().endswith("after the bar\n")


def test_a_failure_takes_the_bar_away():
    meter = BarMeter(Terminal())
    meter.start("downloading a", total=None, done=0)
    bar = meter.progress
    with pytest.raises(ZeroDivisionError), metered(meter):
        meter.move(1 // 0)
    assert not bar.live.is_started
    assert meter.progress is None


def test_checking_a_large_file_is_shown(tmp_path, lines, monkeypatch):
    path = tmp_path / "big.tar.part"
    path.write_bytes(b"abc")
    digests(path, md5=False, meter=lines)
    assert lines.starts == []
    monkeypatch.setattr("bench.fetch.checksum.WORTH_SHOWING", 3)
    digests(path, md5=False, meter=lines)
    assert lines.starts == [("checking big.tar", 3, 0)]


def test_importing_loads_nothing_heavy(project_root):
    code = "import sys, bench.fetch; print({'requests', 'rich', 'filelock'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=project_root, check=True
    )
    assert done.stdout == "set()\n"
