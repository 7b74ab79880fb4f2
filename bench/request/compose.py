"""Words -> composed configurations, by Hydra's compose. Sweeps are expanded here.

A unit never sees a sweep: every choice is one configuration of everything but shots, draw and seed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from bench.errors import RequestError, unknown
from bench.record.schema import BudgetSpec
from bench.registry import Found, Registry, check_option
from bench.request.demand import Choice, Demand
from bench.request.grammar import listed, parse

CONF = Path(__file__).resolve().parents[1] / "conf"
GPU_DEFAULTS = {"budget": "1gpu-15min", "backbone": "base"}
SWEPT = ("method", "dataset", "budget", "backbone", "shots", "draw", "seed", "val")
SINGLE = ("data", "executor", "device", "results", "keep", "rerun")
VAL = ("none", "oracle")


def group_names(group: str) -> list[str]:
    """The files of a Hydra group: budgets, backbones, executors."""
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))


def _check_keys(parsed: Mapping[str, list[str]], base: Mapping[str, Any]) -> None:
    for key, values in parsed.items():
        head, _, tail = key.partition(".")
        if head not in (*SWEPT, *SINGLE):
            raise unknown("option", key, (*SWEPT, *SINGLE))
        if tail and head in ("data", "executor") and head == "data" and tail not in base["data"]:
            raise unknown("option", key, [f"data.{name}" for name in base["data"]])
        if not tail and head == "data":
            raise RequestError(f"say which of {', '.join(f'data.{n}' for n in base['data'])}")
        if head in SINGLE and key != "keep" and len(values) > 1:
            raise RequestError(f"{key} takes one value, not {len(values)}")


def _names(given: list[str], entries: Iterable[str]) -> list[str]:
    """The chosen names; `all` is every available one. Order kept, doubles dropped."""
    names: list[str] = []
    for name in given:
        names.extend(entries if name == "all" else [name])
    return list(dict.fromkeys(names))


def _variants(parsed: Mapping[str, list[str]], group: str) -> list[list[str]]:
    """Every combination of this group's dotted overrides, as Hydra override words."""
    dotted = [(key, values) for key, values in parsed.items() if key.startswith(f"{group}.")]
    products = itertools.product(*([f"{key}={v}" for v in values] for key, values in dotted))
    return [list(words) for words in products]


def _check_dotted(parsed: Mapping[str, list[str]], group: str, entries: Sequence[Found]) -> None:
    for key in parsed:
        if key.startswith(f"{group}."):
            for found in entries:
                assert found.card is not None
                name = key.partition(".")[2]
                if name not in found.card.options:
                    kind = f"option of {group} {found.name}"
                    raise unknown(kind, name, found.card.options)


def _register(registry: Registry) -> None:
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    for group, entries in (("method", registry.methods), ("dataset", registry.datasets)):
        for name, found in entries.items():
            if found.card is not None:
                store.store(group=group, name=name, node=dict(found.card.defaults))


def compose_demand(words: Sequence[str], registry: Registry, *, gpu: bool) -> Demand:
    """The whole request, checked. `gpu`: which defaults of budget and backbone hold."""
    parsed = parse(words)
    base = _base()
    _check_keys(parsed, base)
    if "method" not in parsed:
        raise RequestError("say which method=...; `ls methods` shows them, method=all takes all")
    methods = [
        registry.method(name)[0] for name in _names(parsed["method"], registry.available("method"))
    ]
    datasets = _datasets(parsed, base, registry)
    _check_dotted(parsed, "method", methods)
    defaults = GPU_DEFAULTS if gpu else {group: _default(base, group) for group in GPU_DEFAULTS}
    groups = {group: parsed.get(group, [default]) for group, default in defaults.items()}
    for group, names in groups.items():
        for name in names:
            if name not in group_names(group):
                raise unknown(group, name, group_names(group))

    choices: list[Choice] = []
    with _composer(registry) as composed:
        rest = _rest(parsed, base)
        for method, dataset, budget, backbone in itertools.product(
            methods, datasets, groups["budget"], groups["backbone"]
        ):
            fixed = [
                f"method={method.name}",
                f"dataset={dataset.name}",
                f"budget={budget}",
                f"backbone={backbone}",
            ]
            for dotted in itertools.product(
                *(_variants(parsed, group) for group in ("method", "dataset", "budget", "backbone"))
            ):
                config = composed([*fixed, *itertools.chain(*dotted), *rest])
                choices.append(_choice(config, method, dataset, dotted[2]))
    return _demand(parsed, tuple(choices), config)


def compose_data(
    words: Sequence[str], registry: Registry
) -> tuple[list[tuple[str, dict[str, Any]]], dict[str, Any]]:
    """A request for data alone: [(dataset, its options)], and the `data` group."""
    parsed = parse(words)
    base = _base()
    for key in parsed:
        if key.partition(".")[0] not in ("dataset", "data"):
            options = [f"data.{name}" for name in base["data"]]
            raise unknown("option", key, ["dataset", *options])
    _check_keys(parsed, base)
    wanted: list[tuple[str, dict[str, Any]]] = []
    with _composer(registry) as composed:
        for found in _datasets(parsed, base, registry):
            for dotted in _variants(parsed, "dataset"):
                config = composed([f"dataset={found.name}", *dotted, *_rest(parsed, base)])
                given = config["dataset"] or {}
                checked = {k: check_option(found, k, v) for k, v in given.items()}
                wanted.append((found.name, checked))
    return wanted, config["data"]


def _base() -> dict[str, Any]:
    from omegaconf import OmegaConf

    return cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(CONF / "config.yaml")))


def _datasets(
    parsed: Mapping[str, list[str]], base: Mapping[str, Any], registry: Registry
) -> list[Found]:
    given = parsed.get("dataset", [_default(base, "dataset")])
    names = _names(given, registry.available("dataset"))
    entries = [registry.dataset(name)[0] for name in names]
    _check_dotted(parsed, "dataset", entries)
    return entries


def _rest(parsed: Mapping[str, list[str]], base: Mapping[str, Any]) -> list[str]:
    """The override words that hold for every choice: executor, data, results, ..."""
    executor = parsed.get("executor", [_default(base, "executor")])[0]
    if executor not in group_names("executor"):
        raise unknown("executor", executor, group_names("executor"))
    singles = [
        f"{key}={values[0]}"
        for key, values in parsed.items()
        if key.partition(".")[0] in SINGLE and key not in ("executor", "keep")
    ]
    return [f"executor={executor}", *singles]


@contextmanager
def _composer(registry: Registry) -> Iterator[Callable[[Sequence[str]], dict[str, Any]]]:
    """Hydra's compose on our files; its global state is as it was when the block ends."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    def composed(words: Sequence[str]) -> dict[str, Any]:
        try:
            config = compose("config", overrides=list(words))
            return cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
        except (HydraException, OmegaConfBaseException) as error:
            line = str(error).strip().splitlines()[0]
            raise RequestError(f"the request can't be composed: {line}") from None

    _register(registry)
    GlobalHydra.instance().clear()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        yield composed


def _default(base: Mapping[str, Any], group: str) -> str:
    """What `config.yaml` chooses for a group."""
    return next(str(line[group]) for line in base["defaults"] if group in line)


def _choice(
    config: Mapping[str, Any], method: Found, dataset: Found, budget_words: Sequence[str]
) -> Choice:
    options = {k: check_option(method, k, v) for k, v in (config["method"] or {}).items()}
    dataset_options = {k: check_option(dataset, k, v) for k, v in (config["dataset"] or {}).items()}
    assert method.card is not None
    overrides = {k: v for k, v in options.items() if v != method.card.defaults[k]}
    budget = dict(config["budget"])
    for word in sorted(budget_words):  # a changed budget is not the named one
        budget["name"] += "+" + word.removeprefix("budget.")
    try:
        spec = BudgetSpec(**budget)
    except ValueError:
        raise RequestError(f"budget {budget['name']}: seconds and steps are numbers") from None
    return Choice(
        method=method.name,
        options=options,
        overrides=overrides,
        dataset=dataset.name,
        dataset_options=dataset_options,
        budget=spec,
        backbone=dict(config["backbone"]),
    )


def _demand(
    parsed: Mapping[str, list[str]], choices: tuple[Choice, ...], config: Mapping[str, Any]
) -> Demand:
    keep = [word for value in parsed.get("keep", []) for word in listed(value)]
    for word in keep:
        if word not in ("predictions", "state"):
            raise unknown("value for keep", word, ("predictions", "state"))
    if config["rerun"] not in (None, "failed", "all"):
        raise unknown("value for rerun", str(config["rerun"]), ("failed", "all"))
    vals = tuple(parsed.get("val", ["none"]))
    for val in vals:
        if val not in VAL:
            raise unknown("value for val", val, VAL)
    shots = parsed.get("shots", [str(shot) for shot in config["shots"]])
    try:
        seeds = tuple(int(seed) for seed in parsed.get("seed", ["0"]))
    except ValueError:
        raise RequestError(f"seed={','.join(parsed['seed'])}: seeds are whole numbers") from None
    return Demand(
        choices=choices,
        shots=tuple(dict.fromkeys(word for value in shots for word in listed(value))),
        draws=tuple(dict.fromkeys(parsed["draw"])) if "draw" in parsed else None,
        seeds=tuple(dict.fromkeys(seeds)),
        vals=tuple(dict.fromkeys(vals)),
        data=config["data"],
        executor=config["executor"],
        device=str(config["device"]),
        results=Path(str(config["results"])),
        keep=tuple(dict.fromkeys(keep)),
        rerun=config["rerun"],
    )
