"""A results folder from a stranger: looked at, shown, and nothing of it is run or followed.

The report has its own hostile text (tests/report/test_report.py) and a browser that would run it;
the board's Markdown and CSV: tests/board.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.board.rescoring import kept_prediction
from bench.cli import entry
from bench.errors import DataError, RequestError
from bench.record.schema import Record
from bench.record.store import read_record, record_files, status_of
from tests.board.factory import record, save
from tests.faults.test_hostile_volumes import Bomb, npy, zipped

NASTY = "\x1b]0;pwned\x07\x1b[2J\x9b31m<script>alert(1)</script>\u202e|`$(touch pwned)`\r\n# x"


def nasty() -> Record:
    """Hostile text wherever a record takes text."""
    raw = json.loads(
        record(
            {NASTY: [0.5, 0.4], "../../../p": [0.3, 0.2]},
            method="../../escaped",
            title=NASTY,
            overrides={NASTY: NASTY},
            copy_name=NASTY,
            classes=(NASTY, "b"),
            checkpoints={"sam": "../../../etc/passwd"},
            draw=NASTY,
            shots="1",
            split=NASTY,
            budget=NASTY,
            backbone=NASTY,
            key="0123456789abcdef",
        ).model_dump_json()
    )
    raw["machine"] |= dict.fromkeys(("system", "cpu", "fingerprint"), NASTY)
    raw["data"] |= {"skipped": [NASTY], "modality": NASTY}
    raw["versions"] = {NASTY: NASTY}
    outside = dict.fromkeys(("log", "predictions", "state"), "../../../../../../etc/passwd")
    raw["files"] = outside
    return Record.model_validate(raw)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "a" / "b" / "results"
    one = nasty()
    place = folder / "records" / "toy" / "alpha" / f"x-{one.key}.json"
    place.parent.mkdir(parents=True)
    place.write_text(one.model_dump_json(indent=1) + "\n")
    save(folder, record(method="beta", reason=NASTY, key="fedcba9876543210"))
    save(folder, record(method="gamma", key="00000000000000aa"))
    return folder


def below(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def test_every_verb_looks_and_nothing_steers_the_terminal(
    results: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    outside = below(tmp_path) - below(results)
    at = f"results={results}"
    verbs = [["show", "0123"], ["show", "fedcba"], ["ls", "records"], ["ls", "records", "--json"]]
    verbs += [["diff", "0123", "fedcba"], ["compare", "0123", "0000"], ["status", "--once"]]
    verbs += [["board", f"leaderboard={results / 'page.md'}"], ["report"], ["board", "verify"]]
    verbs += [["compare", "beta", "gamma"], ["board", "rescore"]]
    for words in verbs:
        entry([*words, at])
        out, err = capfd.readouterr()
        assert out + err, words
        for line in (out + err).splitlines():
            assert line.isprintable(), (words, line)
        assert "Traceback" not in out + err
    assert below(tmp_path) - below(results) == outside
    assert not list(tmp_path.rglob("pwned"))
    page = (results / "page.md").read_text()
    assert "<script" not in page
    assert "<script>alert" not in (results / "report.html").read_text()
    # Names of files that are made are ours.
    made = [p.name for p in results.rglob("*") if p.is_file() and "records" not in p.parts]
    assert made
    assert all(name.isascii() and not set(name) & set("<>|`$\\ ") for name in made)


def test_what_a_record_points_at_is_not_followed(results: Path) -> None:
    one = read_record(next(p for p in record_files(results) if "0123456789" in p.name))
    with pytest.raises(RequestError, match="leaves the results folder; correct the record"):
        kept_prediction(results, one, "a")


def test_predict_takes_no_state_from_elsewhere_and_no_strange_option(
    results: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "image.npy"
    np.save(image, np.zeros((4, 8, 8), np.float32))
    words = ["predict", str(image), f"out={tmp_path / 'out.npz'}", f"results={results}"]

    def refused(key: str) -> str:
        assert entry([*words, f"record={key}"]) == 2
        return capfd.readouterr().err

    assert "leaves the results folder; correct the record" in refused("0123")
    raw = json.loads(record(method="control_empty", key="00000000000000bb").model_dump_json())
    raw["files"]["state"] = "state.safetensors"
    raw["request"]["options"] = {"evil": "$(touch pwned)"}
    save(results, Record.model_validate(raw))
    (results / "state.safetensors").write_bytes(b"no state")
    assert "unknown option of method control_empty 'evil'" in refused("00000000000000bb")
    raw["request"]["options"] = {}
    raw["key"] = "00000000000000cc"
    save(results, Record.model_validate(raw))
    assert "not a readable state" in refused("00000000000000cc")
    raw["key"], raw["request"]["method"] = "00000000000000dd", "../../evil"
    (results / "records/toy/x").mkdir()
    (results / "records/toy/x/y-00000000000000dd.json").write_text(json.dumps(raw))
    assert "unknown method '../../evil'" in refused("00000000000000dd")


def harm(path: Path, how: str) -> None:
    path.unlink()
    if how == "pipe":
        os.mkfifo(path)
    elif how == "endless":
        path.symlink_to("/dev/zero")
    elif how == "long":
        path.touch()
        os.truncate(path, 1 << 40)
    elif how == "folder":
        path.mkdir()


@pytest.mark.parametrize("how", ["pipe", "endless", "long", "folder"])
def test_something_else_in_the_place_of_a_record(results: Path, how: str) -> None:
    path = next(p for p in record_files(results) if "gamma" in str(p))
    harm(path, how)
    for ask in (read_record, status_of):
        with pytest.raises(RequestError, match=f"record {path}: "):
            ask(path)
    for verb in (["ls", "records"], ["board", "leaderboard=x.md"], ["report"]):
        assert entry([*verb, f"results={results}"]) == 2


@pytest.mark.parametrize("how", ["pipe", "endless", "long"])
def test_something_else_in_the_place_of_a_card(tmp_path: Path, how: str) -> None:
    from bench.cards import read_yaml

    (tmp_path / "card.yaml").touch()
    harm(tmp_path / "card.yaml", how)
    with pytest.raises(RequestError, match=r"not readable as YAML: .*(regular file|longer than)"):
        read_yaml(tmp_path / "card.yaml")


def kept(folder: Path, content: Any) -> tuple[Path, Record]:
    one = record(predictions="kept")
    (folder / "kept").mkdir(parents=True)
    path = folder / "kept" / f"{one.cases[0].case}.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, label=content)
    return path, one


def test_a_kept_prediction_is_data(tmp_path: Path) -> None:
    bomb = np.array([Bomb(tmp_path / "struck")], dtype=object)
    for place, content in enumerate((bomb, zipped("label.npy", npy()), b"PK")):
        folder = tmp_path / str(place)
        _, one = kept(folder, content)
        with pytest.raises(DataError, match=r"cannot be read .*; run the unit again"):
            kept_prediction(folder, one, one.cases[0].case)
    assert not (tmp_path / "struck").exists()


def test_a_card_steers_no_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "nasty_one"
    folder.mkdir()
    shown = json.dumps(NASTY)
    text = "".join(f"{key}: {shown}\n" for key in ("title", "summary", "paper", "trains"))
    options = f"options: {{x: {{default: {shown}, help: {shown}}}}}\n"
    (folder / "card.yaml").write_text(f"{text}entry: method:M\n{options}", encoding="utf-8")
    (folder / "method.py").write_text("raise SystemExit('it was run')\n")
    for words in (["ls", "methods"], ["show", "nasty_one"]):
        assert entry([*words, "--include", str(folder)]) == 0
        out, err = capfd.readouterr()
        assert "<script>alert(1)</script>" in out  # as it is: a terminal runs none
        assert all(char == "\n" or char.isprintable() for char in out + err)
    (folder / "card.yaml").write_text(f"{text}entry: {shown}\n", encoding="utf-8")
    assert entry(["run", "method=nasty_one", "--include", str(folder)]) == 2
    err = capfd.readouterr().err
    assert err.startswith("sambench: method nasty_one is not available: ")
    assert err.count("\n") == 1
    assert err.rstrip("\n").isprintable()
