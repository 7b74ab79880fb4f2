"""The file as a whole, without a browser."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from bench.cards import MethodCard, Option
from bench.errors import RequestError
from bench.record.schema import Record
from bench.registry import discover
from bench.report import write_report
from tests.board.factory import record, save
from tests.conftest import Bench
from tests.report.conftest import NASTY, keep, volumes

CARDS = {name: found.card for name, found in discover().methods.items() if found.card is not None}


class Elements(HTMLParser):
    """Names of all elements, attributes that could run or fetch, and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.risky: list[tuple[str, str | None]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.risky += [
            a for a in attrs if a[0].startswith("on") or a[0] in ("src", "href", "style")
        ]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(html: str) -> Elements:
    found = Elements()
    found.feed(html)
    return found


def made(results: Path, out: Path, **given: object) -> str:
    write_report(results, out, cards=CARDS, **given)  # type: ignore[arg-type]
    return out.read_text(encoding="utf-8")


def test_what_stands_in_it(results: Path, tmp_path: Path) -> None:
    html = made(results, tmp_path / "r.html")
    words = " ".join(parsed(html).words)
    for expected in (
        "14 records, 1 of them failed or incomplete; protocol version 1.",
        "boom <img src=x onerror=alert(1)>",
        "U-Net",
        "It is not installed here",  # keeps_none
        "Best tied group of each shot count",
        "python -m bench run method=unet dataset=toy",
        "This file holds no image data.",
        "Worst, median and best case of each row",
    ):
        assert expected in words, expected


def test_nothing_is_fetched(results: Path, tmp_path: Path) -> None:
    html = made(results, tmp_path / "r.html", volumes=volumes)
    for name, value in parsed(html).risky:
        assert name in ("src", "href")
        assert value is not None
        assert value.startswith(("data:image/", "#")), value
    assert not re.search(r"url\(|@import|fetch\(|XMLHttp|innerHTML|eval\(", html)
    assert "default-src 'none'" in html


def test_image_data_only_where_asked_for(results: Path, tmp_path: Path) -> None:
    without = made(results, tmp_path / "a.html")
    assert "data:image/jpeg" not in without
    assert 'id="cases"' not in without
    assert 'class="banner"' not in without
    summary = write_report(results, tmp_path / "b.html", cards=CARDS, volumes=volumes)
    html = summary.path.read_text()
    assert html.count("data:image/jpeg") == 3  # each case once, whoever predicts it
    assert "<strong>This file holds patient images</strong>: toy (3 cases)." in html
    assert summary.images == {"toy": 3}
    drawn = made(results, tmp_path / "c.html", volumes=volumes, drawn=frozenset({"toy"}))
    assert "<strong>This file holds drawn images</strong>: toy (3 cases). They show no pat" in drawn


def test_the_same_bytes_again(results: Path, tmp_path: Path) -> None:
    one = made(results, tmp_path / "a.html", volumes=volumes)
    assert made(results, tmp_path / "b.html", volumes=volumes) == one


def test_hostile_text_everywhere(tmp_path: Path) -> None:
    card = MethodCard(
        title=NASTY,
        summary=NASTY,
        entry="method:X",
        paper=NASTY,
        trains=NASTY,
        options={NASTY: Option(default=NASTY, choices=[NASTY], help=NASTY)},
    )
    nasty = record(
        {NASTY.replace("/", "|"): [0.5]},
        method="nasty",
        title=NASTY,
        overrides={"x": NASTY},
        copy_name=NASTY,
        classes=(NASTY,),
        predictions="p",
        source="<b>" * 20,
    )
    failed = record(method="odd", reason=NASTY, copy_name=NASTY, classes=(NASTY,), title=NASTY)
    save(tmp_path, nasty, failed)
    (tmp_path / "p").mkdir()
    np.savez(tmp_path / "p" / f"{nasty.cases[0].case}.npz", label=volumes(nasty, "")[1])
    summary = write_report(tmp_path, tmp_path / "r.html", cards={"nasty": card}, volumes=volumes)
    assert summary.problems == ()
    found = parsed(summary.path.read_text())
    assert found.names.count("script") == 2  # the data, and the page's own
    assert {value for _, value in found.risky if value and "alert" in value} == set()
    assert "onerror" not in {name for name, _ in found.risky}
    images = [value for name, value in found.risky if name == "src"]
    assert all(value and value.startswith("data:image/svg+xml") for value in images)
    assert any("onerror=alert(1)" in word for word in found.words)  # shown as it is


def test_a_lost_or_wrong_prediction_is_named(results: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(results, copy)
    folder = copy / "predictions" / "unet-5-0"
    (folder / "p000.npz").unlink()
    np.savez(folder / "p003.npz", label=np.zeros((2, 2, 2), np.uint8))
    summary = write_report(copy, tmp_path / "r.html", cards=CARDS, volumes=volumes)
    lost, wrong = summary.problems
    assert lost.startswith("unet: case p000: its prediction")
    assert "is missing; run the unit again" in lost
    assert wrong.startswith("unet: case p003: record")
    assert "predicted (2, 2, 2), not (10, 64, 64)" in wrong
    html = summary.path.read_text()
    assert "Not shown, with the reason:" in html
    assert '"row":"unet"' in html  # its median case


def test_data_that_are_not_here_are_named_once_and_the_rest_is_shown(
    results: Path, tmp_path: Path
) -> None:
    """As with dataset=folder, whose folder no record holds."""
    copy = tmp_path / "copy"
    shutil.copytree(results, copy)
    for draw in "01":
        far = record(
            [[0.5, 0.4]] * 3,
            dataset="far",
            method=f"m{draw}",
            draw=draw,
            fingerprint="e" * 64,
            classes=("organ", "tumour"),
            predictions=f"predictions/far-{draw}",
        )
        save(copy, far)
        keep(copy, far)
    asked: list[str] = []

    def some(one: Record, case: str) -> tuple[np.ndarray, np.ndarray]:
        if one.request.dataset == "far":
            asked.append(case)
            raise RequestError("far: no copy of it in /somewhere. Say dataset.root=DIR.")
        return volumes(one, case)

    summary = write_report(copy, tmp_path / "r.html", cards=CARDS, volumes=some)
    assert summary.problems == (
        "far: far: no copy of it in /somewhere. Say dataset.root=DIR; to `report`, say where its "
        "images are with data.root=DIR",
    )
    assert len(asked) == 1
    assert summary.images == {"toy": 3}
    assert "say where its images are with data.root=DIR" in summary.path.read_text()


def test_a_record_that_points_outside_costs_its_own_cases(results: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(results, copy)
    save(copy, record([[0.5, 0.4]], method="evil", classes=("organ", "tumour"), predictions="../x"))
    summary = write_report(copy, tmp_path / "r.html", cards=CARDS, volumes=volumes)
    assert len(summary.problems) == 3  # worst, median, best
    assert all(
        line.startswith("evil: record ") and "leaves the results folder" in line
        for line in summary.problems
    )
    assert summary.images == {"toy": 3}


def test_without_records(tmp_path: Path) -> None:
    assert "There are no records here yet" in made(tmp_path, tmp_path / "r.html")


def test_the_demo_ends_with_a_report_and_the_verb_makes_another(
    bench: Bench, tmp_path: Path, cache: Path
) -> None:
    words = ("method=control_nearest", "shots=1", "budget=steps-100", "budget.probes=2")
    done = bench("demo", *words, f"results={tmp_path}")
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == f"report: {tmp_path / 'report.html'}"
    html = (tmp_path / "report.html").read_text()
    assert html.count("data:image/jpeg") == 3
    assert "This file holds drawn images" in html  # nobody's patient
    out = tmp_path / "shown" / "r.html"
    plain = bench("report", f"results={tmp_path}", f"out={out}")
    assert plain.code == 0, plain.err
    assert "1 records, 1 tables; image data: none" in plain.out
    assert plain.out.splitlines()[-1] == f"report: {out}"
    assert "data:image/jpeg" not in out.read_text()
    asked = ("report.images=true", f"data.cache={cache}")
    again = bench("report", f"results={tmp_path}", f"out={out}", *asked)
    assert "image data: phantom (3 cases)" in again.out
    assert out.read_text() == html


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["now"], "report now: say key=value, one of results, out, report.images"),
        (["report.images=yes"], "report.images=yes: true or false"),
        (["results=/no/such"], "results=/no/such: there is no such folder"),
        (["out=/"], "out=/: that is a folder; give a file"),
        (["images=true"], "unknown option 'images'"),
    ],
)
def test_a_wrong_word_is_one_line(bench: Bench, words: list[str], message: str) -> None:
    done = bench("report", *words)
    assert done.code == 2
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_another_copy_of_the_data_is_refused(tmp_path: Path, cache: Path) -> None:
    from bench.cli.report import stored_volumes
    from bench.errors import DataError

    found = stored_volumes(discover(), {"root": None, "cache": str(cache)})
    made_elsewhere = record(dataset="phantom", fingerprint="0" * 64)
    with pytest.raises(DataError, match=r"case p000: record \w+ was made on phantom with finger"):
        found(made_elsewhere, "p000")
