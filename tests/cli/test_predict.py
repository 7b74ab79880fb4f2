"""`predict` builds the method as the unit did, and says how to keep a state where none was."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest

from bench.cli import entry
from bench.cli.predict import kept_state
from bench.data.readers import read_image
from bench.errors import RequestError
from bench.record.store import read_records
from bench.request.grammar import parse
from tests.board.factory import record
from tests.volumes import make_volumes


def test_it_gives_what_the_unit_gave(tmp_path: Path, toys: Path) -> None:
    """For a method that depends on its whole setting, and on chance; not of the first draw."""
    root, results, out = make_volumes(tmp_path / "v"), tmp_path / "results", tmp_path / "out.nii.gz"
    same = (f"data.cache={tmp_path / 'cache'}", f"results={results}", "device=cpu")
    same += ("--include", str(toys / "gambles"))
    words = ("method=gambles", "dataset=folder", f"dataset.root={root}", "shots=1", "draw=1")
    words += ("budget=steps-100", "executor=inline", "keep=predictions,state")
    assert entry(["run", *words, *same]) == 0

    [done] = read_records(results)
    case = done.data.test[0]
    kept = np.load(results / str(done.files.predictions) / f"{case}.npz")["label"]
    assert 0.2 < kept.mean() < 0.8
    image = root / "imagesTr" / f"{case}_0000.nii.gz"
    assert entry(["predict", f"record={done.key}", str(image), f"out={out}", *same]) == 0
    assert np.array_equal(read_image(out).array, kept)


def test_the_command_that_keeps_a_state_asks_for_the_same_unit() -> None:
    """With what differs from the defaults, in the words and with the quotes that `run` takes."""
    made = record(
        overrides={"note": "a b", "lr": 0.01},
        dataset="mine",
        copy_name="mine, 3 of 9 cases",
        budget="cpu-2min+seconds",
        budget_seconds=90,
        checkpoints={"sam": "vit_l"},
        val="oracle",
        draw="2",
        seed=7,
        predictions="predictions/x",
    )
    request = made.request.model_copy(update={"dataset_options": {"channel": 1}})
    made = made.model_copy(update={"request": request})
    with pytest.raises(RequestError) as caught:
        kept_state(made, Path("/far/my results"), "/big/cache-1", [Path("my methods")])
    said, _, command = str(caught.value).partition(" with: ")
    assert said.startswith(f"record {made.key} kept no state; run it once more")
    assert "data.root=DIR" in said
    words = shlex.split(command)
    assert words == [
        *("python", "-m", "bench", "run", "method=alpha", "method.lr=0.01", "method.note='a b'"),
        *("dataset=mine", "dataset.channel=1", "budget=cpu-2min", "budget.seconds=90.0"),
        *("backbone=nano", "backbone.sam=vit_l", "val=oracle", "data.partial=true", "device=cpu"),
        *("executor.threads=2", "shots=1", "draw=2", "seed=7", "results='/far/my results'"),
        *("data.cache=/big/cache-1", "keep=predictions,state", "rerun=all"),
        *("--include", "my methods"),
    ]
    parsed = parse(words[4:-2])
    assert parsed["results"][0].strip("'") == "/far/my results"
    assert parsed["data.cache"] == ["/big/cache-1"]
