"""The smaller verbs as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from tests.conftest import ROOT, Bench

TINY = ("budget=steps-100", "budget.steps=4", "budget.probes=2")


def test_help_of_everything(bench: Bench) -> None:
    from bench.cli import VERBS

    assert all(verb in bench("--help").out for verb in VERBS)
    for verb in VERBS:
        shown = subprocess.run(
            [sys.executable, "-m", "bench", verb, "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert shown.stdout.startswith(f"python -m bench {verb}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rnu"], "unknown verb 'rnu'; did you mean run?"),
        (["ls", "metods"], "unknown list 'metods'; did you mean methods"),
        (["ls", "--jsn"], "unknown flag '--jsn'; did you mean --json?"),
        (["show", "linear_prob"], "unknown name 'linear_prob'; did you mean linear_probe?"),
        (["show"], "say what to show"),
        (["show", "0123456789abcdef"], "unknown record '0123456789abcdef'"),
        (["prepare"], "say what to prepare"),
        (["prepare", "dataset=phantm"], "unknown dataset 'phantm'; did you mean phantom?"),
        (
            ["prepare", "dataset=acdc", "data.rot=x"],
            "unknown option of data 'rot'; did you mean root?",
        ),
        (["predict", "record=abcd"], "say predict record=KEY IMAGE out=FILE"),
        (["predict", "record=abcd", "no.nii.gz", "out=x.nii.gz"], "no.nii.gz: there is no such"),
        (["check", "shots=1"], "'shots=1': check takes method="),
        (["new", "metod", "x"], "unknown kind 'metod'; did you mean method?"),
        (["new", "method", "Big-Name"], "a name is lower-case letters, digits and underscores"),
        (["new", "method", "unet"], "there is a method called 'unet' already"),
        (["board", "rescor"], "board rescor: only `board`, `board claims`, `board verify` and `bo"),
        (["ls", "--include"], "--include needs a folder"),
        (["ls", "--include", "/no/folder"], "--include /no/folder: there is no such folder"),
        (["demo", "dataset=acdc"], "the demo has its own data"),
    ],
)
def test_a_wrong_word_is_one_line(bench: Bench, words: list[str], message: str) -> None:
    done = bench(*words)
    assert done.code == 2
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        *("board", "board --check", "board claims", "board verify", "board rescore", "report"),
        *("status", "ls", "ls records", "show 0123", "compare unet samed", "diff 0123 4567"),
    ],
)
def test_a_folder_of_results_that_was_named_is_there(
    bench: Bench, tmp_path: Path, words: str
) -> None:
    """Nothing is made: a slip of the hand is no new folder."""
    gone = tmp_path / "mien"
    done = bench(*words.split(), f"results={gone}")
    assert done.code == 2
    assert done.err.strip() == f"sambench: results={gone}: there is no such folder"
    assert not gone.exists()


def test_ls_in_words_and_json(bench: Bench) -> None:
    assert "unet" in bench("ls").out
    everything = json.loads(
        bench("ls", "methods", "datasets", "budgets", "backbones", "checkpoints", "--json").out
    )
    assert {row["name"] for row in everything["methods"]} >= {"unet", "control_empty"}
    assert {row["name"] for row in everything["datasets"]} >= {"phantom", "promise12", "msd_liver"}
    assert {row["name"] for row in everything["budgets"]} >= {"cpu-2min", "1gpu-1h", "paper"}
    assert {row["name"] for row in everything["backbones"]} == {"nano", "tiny", "base", "large"}
    found = {(row["family"], row["name"]): row for row in everything["checkpoints"]}
    assert found["sam", "nano"]["here"] == "yes"
    assert found["sam", "vit_l"]["size"] == "1249.5 MB"


def test_ls_and_help_stay_light() -> None:
    """Neither torch nor Hydra: that is what makes them quick."""
    for verb in ("ls", "--help"):
        code = (
            "import sys; from bench.cli import entry; entry([sys.argv[1]]); "
            "print(sorted({'torch', 'hydra', 'numpy', 'monai'} & set(sys.modules)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, verb], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "[]"


def test_show_says_what_it_is(bench: Bench) -> None:
    assert "method.lr" in bench("show", "unet").out
    assert "zenodo.org" in bench("show", "promise12").out
    assert "seconds" in bench("show", "cpu-2min").out


def test_doctor(bench: Bench) -> None:
    out = bench("doctor").out
    assert "torch" in out
    assert "device" in out
    assert any(line.startswith("data phantom") and "30 cases" in line for line in out.splitlines())


def test_a_missing_copy_says_how_to_get_it(bench: Bench, tmp_path: Path) -> None:
    done = bench("prepare", "dataset=synapse", f"data.root={tmp_path}")
    assert done.code == 2
    assert "synapse: no copy of it in" in done.err


@pytest.fixture(scope="module")
def adapted(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with one unit that kept everything."""
    results = tmp_path_factory.mktemp("results")
    done = bench(
        *("run", "method=control_nearest,control_empty", "shots=1", "draw=0"),
        *(f"results={results}", "keep=predictions,state", *TINY),
    )
    assert done.code == 0, done.out + done.err
    return results


def key_of(results: Path, method: str) -> str:
    (path,) = (results / "records" / "phantom" / method).glob("*.json")
    return path.stem.rsplit("-", 1)[-1]


def test_show_a_record(bench: Bench, adapted: Path) -> None:
    key = key_of(adapted, "control_nearest")
    out = bench("show", key[:8], f"results={adapted}").out
    assert f"record {key}: control_nearest on phantom" in out
    assert "dice organ" in out


def test_predict_a_new_image_on_its_own_grid(bench: Bench, adapted: Path, tmp_path: Path) -> None:
    affine = np.array([[-0.9, 0, 0, 10], [0, 1.1, 0, -20], [0, 0, 3.5, 5], [0, 0, 0, 1.0]])
    voxels = np.random.default_rng(0).integers(0, 900, (50, 60, 7)).astype(np.int16)
    image, out = tmp_path / "image.nii.gz", tmp_path / "mask.nii.gz"
    nibabel.save(nibabel.Nifti1Image(voxels, affine), image)
    key = key_of(adapted, "control_nearest")
    done = bench("predict", f"record={key}", str(image), f"out={out}", f"results={adapted}")
    assert done.code == 0, done.err
    mask = nibabel.load(out)
    assert mask.shape == voxels.shape
    assert np.allclose(mask.affine, affine)
    assert set(np.unique(np.asarray(mask.dataobj))) <= {0, 1, 2}
    assert f"wrote {out}" in done.out


def test_predict_without_a_kept_state_says_how(bench: Bench, adapted: Path, tmp_path: Path) -> None:
    key = key_of(adapted, "control_empty")
    (adapted / "states" / f"{key}.safetensors").unlink()
    image = tmp_path / "image.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4)), image)
    done = bench("predict", f"record={key}", str(image), "out=x.nii.gz", f"results={adapted}")
    assert done.code == 2
    assert "kept no state; run it once more (and say data.root=DIR where" in done.err
    assert " with: python -m bench run method=control_empty dataset=phantom " in done.err
    assert " keep=predictions,state rerun=all" in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_board_and_its_check(bench: Bench, adapted: Path, cache: Path) -> None:
    first = bench("board", f"results={adapted}")
    assert first.code == 0
    assert "control_nearest" in (adapted / "leaderboard.md").read_text()
    assert list((adapted / "tables").glob("*.csv"))
    assert bench("board", "--check", f"results={adapted}").code == 0
    page = adapted / "leaderboard.md"
    page.write_text(page.read_text() + "one more line\n")
    changed = bench("board", "--check", f"results={adapted}")
    assert changed.code == 1
    assert "leaderboard.md" in changed.out
    bench("board", f"results={adapted}")
    assert "one more line" not in page.read_text()


def test_rescore_agrees_and_finds_a_change(bench: Bench, adapted: Path, cache: Path) -> None:
    words = ("board", "rescore", f"results={adapted}", f"data.cache={cache}")
    same = bench(*words)
    assert same.code == 0, same.out
    assert ", 0 scores differ" in same.out
    folder = adapted / "predictions" / key_of(adapted, "control_nearest")
    file = sorted(folder.glob("*.npz"))[0]
    label = np.load(file)["label"]
    label[label.shape[0] // 2] = 1
    np.savez_compressed(file, label=label)
    other = bench(*words)
    assert other.code == 1
    assert file.stem in other.out


def test_new_method_works_as_written(bench: Bench, tmp_path: Path, cache: Path) -> None:
    made = bench("new", "method", "mine", f"into={tmp_path}")
    assert made.code == 0
    assert f"now: python -m bench check method=mine --include {tmp_path}" in made.out
    run_own_test(tmp_path / "mine" / "test_mine.py")
    with (tmp_path / "mine" / "method.py").open("a") as file:
        file.write('\nprint("loud")\n')
    checked = bench("check", "method=mine", "--include", str(tmp_path))
    assert checked.code == 0, checked.out
    *_, verdict, printed = checked.out.splitlines()
    assert verdict == "mine: 14 passed, 0 failed, 1 not asked"
    log = Path(printed.removeprefix("what it printed: "))
    assert log.read_text() == "loud\n"
    log.unlink()
    again = bench("new", "method", "mine", f"into={tmp_path}")
    assert again.code == 2
    assert "is there already; nothing was written" in again.err


def test_new_dataset_works_as_written(bench: Bench, tmp_path: Path) -> None:
    assert bench("new", "dataset", "ours", f"into={tmp_path}").code == 0
    run_own_test(tmp_path / "ours" / "test_ours.py")
    listed = bench("ls", "datasets", "--include", str(tmp_path))
    assert "ours" in listed.out


def run_own_test(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
