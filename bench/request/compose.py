"""Words -> composed configurations, by Hydra's compose. Sweeps are expanded here.

A unit never sees a sweep: every choice is one configuration of everything but shots, draw and seed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from bench.data.splits.shots import parse_shots
from bench.errors import RequestError, unknown
from bench.record.schema import BudgetSpec
from bench.registry import Found, Registry, check_option
from bench.request.checks import (
    CONF,
    SINGLE,
    check_budget,
    check_keys,
    check_name,
    check_options,
    checked_data,
    default_of,
    read_conf,
)
from bench.request.demand import Choice, Demand
from bench.request.grammar import parse

GPU_DEFAULTS = {"budget": "1gpu-15min", "backbone": "base"}
VAL = ("none", "oracle")


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


@contextmanager
def _registered(registry: Registry) -> Iterator[None]:
    """The entries' options as Hydra groups, for as long as they are needed."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    groups = {"method": registry.methods, "dataset": registry.datasets}
    before = {group: store.repo.pop(group) for group in groups if group in store.repo}
    for group, entries in groups.items():
        for name, found in entries.items():
            if found.card is not None:
                store.store(group=group, name=name, node=dict(found.card.defaults))
    try:
        yield
    finally:
        for group in groups:
            store.repo.pop(group, None)
        store.repo.update(before)


def compose_demand(words: Sequence[str], registry: Registry, *, gpu: bool) -> Demand:
    """The whole request, checked. `gpu`: which defaults of budget and backbone hold."""
    parsed = parse(words)
    check_keys(parsed)
    if "method" not in parsed:
        raise RequestError("say which method=...; `ls methods` shows them, method=all takes all")
    methods = [
        registry.method(name)[0] for name in _names(parsed["method"], registry.available("method"))
    ]
    datasets = _datasets(parsed, registry)
    check_options(parsed, "method", methods)
    defaults = GPU_DEFAULTS if gpu else {group: default_of(group) for group in GPU_DEFAULTS}
    groups = {group: parsed.get(group, [default]) for group, default in defaults.items()}
    for group, names in groups.items():
        for name in names:
            check_name(group, name)

    choices: list[Choice] = []
    with _composer(registry) as composed:
        rest = _rest(parsed)
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
                changes = {"budget": dotted[2], "backbone": dotted[3]}
                choices.append(_choice(config, method, dataset, changes))
    return _demand(parsed, tuple(choices), config)


def compose_data(
    words: Sequence[str], registry: Registry
) -> tuple[list[tuple[str, dict[str, Any]]], dict[str, Any]]:
    """A request for data alone: [(dataset, its options)], and the `data` group."""
    parsed = parse(words)
    for key in parsed:
        if key.partition(".")[0] not in ("dataset", "data"):
            raise unknown(
                "option", key, ["dataset", *(f"data.{n}" for n in read_conf("config")["data"])]
            )
    check_keys(parsed)
    wanted: list[tuple[str, dict[str, Any]]] = []
    with _composer(registry) as composed:
        for found in _datasets(parsed, registry):
            for dotted in _variants(parsed, "dataset"):
                config = composed([f"dataset={found.name}", *dotted, *_rest(parsed)])
                given = config["dataset"] or {}
                checked = {k: check_option(found, k, v) for k, v in given.items()}
                wanted.append((found.name, checked))
    return wanted, checked_data(config["data"])


def _datasets(parsed: Mapping[str, list[str]], registry: Registry) -> list[Found]:
    given = parsed.get("dataset", [default_of("dataset")])
    names = _names(given, registry.available("dataset"))
    entries = [registry.dataset(name)[0] for name in names]
    check_options(parsed, "dataset", entries)
    return entries


def _rest(parsed: Mapping[str, list[str]]) -> list[str]:
    """The override words that hold for every choice: executor, data, results, ..."""
    executor = parsed.get("executor", [default_of("executor")])[0]
    check_name("executor", executor)
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
    from hydra.version import VersionBase
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    def composed(words: Sequence[str]) -> dict[str, Any]:
        try:
            config = compose("config", overrides=list(words))
            return cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
        except (HydraException, OmegaConfBaseException) as error:
            line = str(error).strip().splitlines()[0]
            raise RequestError(f"the request can't be composed: {line}") from None

    base, hydra = VersionBase.instance().version_base, GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()  # a library may have initialised it for itself
    try:
        with (
            _registered(registry),
            initialize_config_dir(version_base="1.3", config_dir=str(CONF)),
        ):
            yield composed
    finally:
        VersionBase.instance().version_base, GlobalHydra.instance().hydra = base, hydra


def _choice(
    config: Mapping[str, Any],
    method: Found,
    dataset: Found,
    changes: Mapping[str, Sequence[str]],
) -> Choice:
    options = {k: check_option(method, k, v) for k, v in (config["method"] or {}).items()}
    dataset_options = {k: check_option(dataset, k, v) for k, v in (config["dataset"] or {}).items()}
    assert method.card is not None
    overrides = {k: v for k, v in options.items() if v != method.card.defaults[k]}
    check_budget(config["budget"])
    return Choice(
        method=method.name,
        options=options,
        overrides=overrides,
        dataset=dataset.name,
        dataset_options=dataset_options,
        budget=BudgetSpec(**_renamed(config["budget"], changes["budget"])),
        backbone=_renamed(config["backbone"], changes["backbone"]),
    )


def _renamed(group: Mapping[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """A changed budget or backbone is not the named one: its name says what was changed."""
    changes = sorted(word.partition(".")[2] for word in words)
    return {**group, "name": "+".join([group["name"], *changes])}


def _demand(
    parsed: Mapping[str, list[str]], choices: tuple[Choice, ...], config: Mapping[str, Any]
) -> Demand:
    keep, vals = parsed.get("keep", []), parsed.get("val", ["none"])
    for word in keep:
        if word not in ("predictions", "state"):
            raise unknown("value for keep", word, ("predictions", "state"))
    if config["rerun"] not in (None, "failed", "all"):
        raise unknown("value for rerun", str(config["rerun"]), ("failed", "all"))
    for val in vals:
        if val not in VAL:
            raise unknown("value for val", val, VAL)
    if config["results"] is None:
        raise RequestError("results=null: say a folder; for example results=results")
    try:
        seeds = tuple(int(seed) for seed in parsed.get("seed", ["0"]))
    except ValueError:
        raise RequestError(f"seed={','.join(parsed['seed'])}: seeds are whole numbers") from None
    return Demand(
        choices=choices,
        shots=tuple(dict.fromkeys(parsed.get("shots", map(str, config["shots"])))),
        draws=tuple(dict.fromkeys(parsed["draw"])) if "draw" in parsed else None,
        seeds=tuple(dict.fromkeys(seeds)),
        vals=tuple(dict.fromkeys(vals)),
        data=checked_data(config["data"]),
        executor=config["executor"],
        device=str(config["device"]),
        results=Path(str(config["results"])).expanduser(),
        keep=tuple(dict.fromkeys(keep)),
        rerun=config["rerun"],
    )
