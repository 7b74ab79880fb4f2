"""Cards: what is understood, and one line for each thing that is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.cards import DatasetCard, MethodCard, parse_card, read_yaml
from bench.errors import RequestError

FILE = Path("methods/mine/card.yaml")
METHOD: dict[str, Any] = {"title": "Mine", "summary": "Does it.", "entry": "method:Mine"}
DATASET: dict[str, Any] = {
    "title": "Toy",
    "summary": "Small.",
    "entry": "dataset:Toy",
    "modality": "MR",
    "classes": ["gland"],
    "licence": "CC0",
    "citation": "nobody",
    "official": "files",
    "layouts": {"files": ""},
}


def problem(raw: dict[str, Any], card: type = MethodCard) -> str:
    with pytest.raises(RequestError) as caught:
        parse_card(FILE, raw, card)
    text = str(caught.value)
    assert text.startswith(f"{FILE}: ")
    assert "\n" not in text
    return text.removeprefix(f"{FILE}: ")


def test_the_least_a_method_says() -> None:
    card = parse_card(FILE, METHOD, MethodCard)
    assert (card.title, card.entry, card.block, card.options) == (
        "Mine",
        "method:Mine",
        "method",
        {},
    )
    assert (card.needs, card.pretrain, card.needs_test_label, card.repeatable) == (
        [],
        None,
        False,
        True,
    )


def test_the_least_a_dataset_says() -> None:
    card = parse_card(FILE, DATASET, DatasetCard)
    assert (card.classes, card.split, card.files, card.spacing) == (
        ["gland"],
        "split.json",
        [],
        None,
    )
    assert parse_card(FILE, {**DATASET, "classes": None}, DatasetCard).classes is None


def test_a_backbone_may_be_asked_for_by_an_option() -> None:
    always = parse_card(FILE, {**METHOD, "backbones": ["dino", "sam"]}, MethodCard)
    assert always.families({}) == ("dino", "sam")
    assert parse_card(FILE, METHOD, MethodCard).families({}) == ()
    asked = {"sam": {"base": ["a", "b"]}, "sam2": {"base": ["c"]}, "dino": {}}
    card = parse_card(FILE, {**METHOD, "options": {"base": "a"}, "backbones": asked}, MethodCard)
    assert card.families({"base": "b"}) == ("sam", "dino")
    assert card.families({"base": "c"}) == ("sam2", "dino")


def test_an_option_may_be_its_default_alone() -> None:
    options = {
        "lr": 0.001,
        "steps": 5,
        "flip": True,
        "name": "auto",
        "sizes": [1, 2],
        "root": None,
        "mode": {"default": "a", "choices": ["a", "b"], "help": "which"},
    }
    card = parse_card(FILE, {**METHOD, "options": options}, MethodCard)
    assert card.defaults == {
        "lr": 0.001,
        "steps": 5,
        "flip": True,
        "name": "auto",
        "sizes": [1, 2],
        "root": None,
        "mode": "a",
    }
    assert {name: type(value) for name, value in card.defaults.items() if name != "root"} == {
        "lr": float,
        "steps": int,
        "flip": bool,
        "name": str,
        "sizes": list,
        "mode": str,
    }
    assert card.options["mode"].choices == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"titel": "x"}, "titel: unknown key; did you mean title"),
        ({"qqqq": "x"}, "qqqq: unknown key"),
        ({"title": ""}, "title: String should have at least 1 character"),
        ({"title": 3}, "title: Input should be a valid string"),
        ({"block": "baseline"}, "block: Input should be 'method', 'control' or 'oracle'"),
        ({"entry": "method.Mine"}, "entry: String should match pattern"),
        ({"entry": "../evil:Mine"}, "entry: String should match pattern"),
        (
            {"backbones": ["sam3"]},
            "backbones.sam3.[key]: Input should be 'sam', 'sam2' or 'dino'",
        ),
        ({"backbones": {"sam": {"famly": ["sam"]}}}, "backbones name no option: famly"),
        ({"needs": "cv2"}, "needs: Input should be a valid list"),
        ({"options": [1]}, "options: Input should be a valid dictionary"),
        ({"options": {"lr": {"defualt": 1}}}, "options.lr.default: this key is missing"),
        (
            {"options": {"lr": {"default": 1, "hlep": "x"}}},
            "options.lr.hlep: unknown key; did you mean help?",
        ),
        ({"pretrain": {"shar": 0.5}}, "pretrain.shar: unknown key; did you mean share?"),
        ({"pretrain": {"share": 1.0}}, "pretrain.share: Input should be less than 1"),
        (
            {"pretrain": {"options": ["lr"]}, "options": {"rate": 1}},
            "pretrain.options names no option: lr",
        ),
        (
            {"pretrain": {"unless": {"lr": [0]}}, "options": {"rate": 1}},
            "pretrain.unless names no option: lr",
        ),
        (
            {"options": {"mode": {"default": "c", "choices": ["a", "b"]}}},
            "options.mode: the default 'c' is not among the choices",
        ),
        (
            {"options": {"lr": "1e-3"}},
            "options.lr.default: YAML reads 1e-3 as text; write a point and a sign, as in 1.0e-3",
        ),
    ],
)
def test_a_wrong_method_card_names_the_key(change: dict[str, Any], expected: str) -> None:
    assert problem({**METHOD, **change}).startswith(expected)


@pytest.mark.parametrize("key", ["title", "summary", "entry"])
def test_a_missing_key_is_named(key: str) -> None:
    raw = {name: value for name, value in METHOD.items() if name != key}
    assert problem(raw) == f"{key}: this key is missing"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"modalty": "CT"}, "modalty: unknown key; did you mean modality?"),
        ({"classes": "gland"}, "classes: Input should be a valid list"),
        ({"spacing": [1.0, 1.0]}, "spacing"),
        ({"files": [{"url": "u"}]}, "files.0.name: this key is missing"),
        (
            {"files": [{"url": "u", "name": "n", "sha265": "x"}]},
            "files.0.sha265: unknown key; did you mean sha256?",
        ),
    ],
)
def test_a_wrong_dataset_card_names_the_key(change: dict[str, Any], expected: str) -> None:
    assert problem({**DATASET, **change}, DatasetCard).startswith(expected)


def test_numbers_as_a_card_should_write_them(tmp_path: Path) -> None:
    """What the message advises is what YAML understands."""
    file = tmp_path / "card.yaml"
    file.write_text("options:\n  lr: 1.0e-3\n  decay: 0.0001\n")
    assert read_yaml(file)["options"] == {"lr": 0.001, "decay": 0.0001}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"title: [unclosed", "not readable as YAML: while parsing a flow sequence"),
        (b"title: \xff\xfe", "not readable as YAML: 'utf-8' codec can't decode"),
        (b"- a\n- b\n", "a card is a mapping of keys to values"),
        (b"", "a card is a mapping of keys to values"),
        (
            b"title: !!python/object/apply:os.system ['true']",
            "not readable as YAML: could not determine a constructor",
        ),
    ],
)
def test_an_unreadable_card_is_named(tmp_path: Path, content: bytes, expected: str) -> None:
    file = tmp_path / "card.yaml"
    file.write_bytes(content)
    with pytest.raises(RequestError) as caught:
        read_yaml(file)
    assert str(caught.value).startswith(f"{file}: {expected}")
    assert "\n" not in str(caught.value)


def test_an_absent_card_is_named(tmp_path: Path) -> None:
    file = tmp_path / "card.yaml"
    with pytest.raises(RequestError) as caught:
        read_yaml(file)
    assert str(caught.value) == f"{file}: there is no card here; every entry needs one"
    file.mkdir()
    with pytest.raises(RequestError, match=r"not readable as YAML: .*Is a directory"):
        read_yaml(file)


def test_pretraining_may_be_left_out_by_an_option() -> None:
    plain = {**METHOD, "options": {"experts": "all", "rank": 4}}
    assert parse_card(FILE, plain, MethodCard).pretrains({"experts": "all", "rank": 4}) is None
    raw = {**plain, "pretrain": {"unless": {"experts": ["random", "none"], "rank": [0]}}}
    card = parse_card(FILE, raw, MethodCard)
    assert card.pretrain is not None
    assert card.pretrains({"experts": "all", "rank": 4}) is card.pretrain
    assert card.pretrains({"experts": "random", "rank": 4}) is None
    assert card.pretrains({"experts": "all", "rank": 0}) is None


@pytest.mark.parametrize(
    ("option", "problem_with_it"),
    [
        ({"default": "auto", "choices": ["auto"], "kind": "whole"}, "without choices"),
        ({"default": 3, "kind": "whole"}, "kind is for options with the default auto"),
        ({"default": "auto", "least": 1}, "with the default auto, say the kind"),
        ({"default": "text", "most": 1}, "least and most are for numbers"),
        ({"default": 0, "least": 1}, "the default 0 is not of at least 1"),
        ({"default": 1.5, "least": 0, "most": 1}, "the default 1.5 is not from 0 to 1"),
        ({"default": "auto", "kind": "share"}, "Input should be 'whole' or 'number'"),
    ],
)
def test_an_option_that_contradicts_itself(option: dict[str, Any], problem_with_it: str) -> None:
    assert problem_with_it in problem({**METHOD, "options": {"lr": option}})


@pytest.mark.parametrize(
    ("option", "taken", "refused"),
    [
        (
            {"default": "auto", "kind": "whole", "least": 1},
            [1, 7, "auto"],
            {
                0: "0 is not a whole number of at least 1, or auto",
                1.5: "1.5 is not a whole number, or auto",
                "many": "'many' is not a whole number, or auto",
                True: "True is not a whole number, or auto",
            },
        ),
        (
            {"default": "auto", "kind": "number"},
            [1, 0.5, -2.0, "auto"],
            {
                "fast": "'fast' is not a number, or auto",
                float("inf"): "inf is not a number, or auto",
            },
        ),
        (
            {"default": 0.5, "least": 0, "most": 1},
            [0, 1, 0.3],
            {
                1.1: "1.1 is not a number from 0 to 1",
                "auto": "'auto' is not a number",
            },
        ),
        ({"default": 2, "most": 6}, [6, -1], {7: "7 is not a whole number of at most 6"}),
    ],
)
def test_a_value_is_held_against_the_card(
    option: dict[str, Any], taken: list[Any], refused: dict[Any, str]
) -> None:
    checked = (
        parse_card(FILE, {**METHOD, "options": {"lr": option}}, MethodCard).options["lr"].checked
    )
    for value in taken:
        assert checked(value, "lr") == value
    for value, expected in refused.items():
        with pytest.raises(RequestError) as caught:
            checked(value, "lr")
        assert str(caught.value) == f"lr: {expected}"


def test_a_whole_number_of_a_kind_number_becomes_one() -> None:
    option = {"default": "auto", "kind": "number"}
    checked = (
        parse_card(FILE, {**METHOD, "options": {"lr": option}}, MethodCard).options["lr"].checked
    )
    assert isinstance(checked(1, "lr"), float)
