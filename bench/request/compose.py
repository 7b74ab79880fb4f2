"""Words -> composed configurations, by Hydra's compose. Sweeps are expanded here.

A unit never sees a sweep: every choice is one configuration of everything but shots, draw and seed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from bench.data.splits.shots import parse_shots
from bench.errors import RequestError, unknown
from bench.executors.known import OURS, executor_defaults
from bench.predict_limit import check_predict_limit
from bench.record.schema import BudgetSpec
from bench.registry import Found, Registry, check_option
from bench.request.checks import (
    CONF,
    JOINED,
    SINGLE,
    check_budget,
    check_keys,
    check_name,
    check_options,
    checked_data,
    checked_flag,
    default_of,
    read_conf,
)
from bench.request.demand import Choice, Demand
from bench.request.grammar import parse
from bench.request.pool import checked_pool

GPU_DEFAULTS = {"budget": "1gpu-15min", "backbone": "base"}
VAL = ("none", "oracle")


@dataclass(frozen=True)
class _Part:
    """One configuration of one group, and the override words that changed it."""

    name: str
    words: tuple[str, ...]
    values: Mapping[str, Any]


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
def _registered(registry: Registry, executor: str) -> Iterator[None]:
    """The entries' options as Hydra groups, for as long as they are needed; and the executor's, if
    it has no file here."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    groups = {"method": registry.methods, "dataset": registry.datasets}
    names = (*groups, "executor")
    before = {group: store.repo.pop(group) for group in names if group in store.repo}
    for group, entries in groups.items():
        for name, found in entries.items():
            if found.card is not None:
                store.store(group=group, name=name, node=dict(found.card.defaults))
    if executor not in OURS:
        node = {"name": executor, **executor_defaults(executor)}
        store.store(group="executor", name=executor, node=node)
    try:
        yield
    finally:
        for group in names:
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

    asked = {
        "method": [found.name for found in methods],
        "dataset": [found.name for found in datasets],
        **groups,
    }
    parts, config = _composed_parts(parsed, asked, registry)
    choices = tuple(
        _choice(registry, *chosen)
        for chosen in itertools.product(*(parts[group] for group in asked))
    )
    pool = checked_pool(parsed.get("pool", [config["pool"]]), methods, registry)
    return _demand(parsed, choices, config, pool)


def _composed_parts(
    parsed: Mapping[str, list[str]], asked: Mapping[str, Sequence[str]], registry: Registry
) -> tuple[dict[str, list[_Part]], dict[str, Any]]:
    """For each group, one part a name and combination of its dotted overrides; and the whole of
    the last composition. Groups do not see each other, so that one composition can take the next
    part of each: as many as the longest group has, not as many as there are combinations."""
    todo = {
        group: [(name, tuple(words)) for name in names for words in _variants(parsed, group)]
        for group, names in asked.items()
    }
    parts: dict[str, list[_Part]] = {group: [] for group in asked}
    with _composer(registry, _executor(parsed)) as composed:
        for place in range(max(map(len, todo.values()))):
            now = {group: items[min(place, len(items) - 1)] for group, items in todo.items()}
            chosen = [f"{group}={name}" for group, (name, _) in now.items()]
            dotted = [word for _, words in now.values() for word in words]
            config = composed([*chosen, *dotted, *_rest(parsed)])
            for group, (name, words) in now.items():
                if place < len(todo[group]):
                    parts[group].append(_Part(name, words, config[group] or {}))
    return parts, config


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
    with _composer(registry, _executor(parsed)) as composed:
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
    singles = [
        f"{key}={values[0]}"
        for key, values in parsed.items()
        if key.partition(".")[0] in SINGLE and key not in ("executor", *JOINED)
    ]
    return [f"executor={_executor(parsed)}", *singles]


def _executor(parsed: Mapping[str, list[str]]) -> str:
    name = parsed.get("executor", [default_of("executor")])[0]
    check_name("executor", name)
    return name


@contextmanager
def _composer(
    registry: Registry, executor: str
) -> Iterator[Callable[[Sequence[str]], dict[str, Any]]]:
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
            _registered(registry, executor),
            initialize_config_dir(version_base="1.3", config_dir=str(CONF)),
        ):
            yield composed
    finally:
        VersionBase.instance().version_base, GlobalHydra.instance().hydra = base, hydra


def _choice(
    registry: Registry, method: _Part, dataset: _Part, budget: _Part, backbone: _Part
) -> Choice:
    found, card = registry.method(method.name)
    options = {k: check_option(found, k, v) for k, v in method.values.items()}
    of_data, _ = registry.dataset(dataset.name)
    check_budget(budget.values)
    return Choice(
        method=method.name,
        options=options,
        overrides={k: v for k, v in options.items() if v != card.defaults[k]},
        dataset=dataset.name,
        dataset_options={k: check_option(of_data, k, v) for k, v in dataset.values.items()},
        budget=BudgetSpec(**_renamed(budget)),
        backbone=_renamed(backbone),
    )


def _renamed(part: _Part) -> dict[str, Any]:
    """A changed budget or backbone is not the named one: its name says what was changed."""
    changes = sorted(word.partition(".")[2] for word in part.words)
    return {**part.values, "name": "+".join([part.name, *changes])}


def _demand(
    parsed: Mapping[str, list[str]],
    choices: tuple[Choice, ...],
    config: Mapping[str, Any],
    pool: tuple[str, ...],
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
    shots = parsed.get("shots", [str(shot) for shot in config["shots"]])
    if config["results"] is None:
        raise RequestError("results=null: say a folder; for example results=results")
    try:
        seeds = tuple(int(seed) for seed in parsed.get("seed", ["0"]))
    except ValueError:
        raise RequestError(f"seed={','.join(parsed['seed'])}: seeds are whole numbers") from None
    return Demand(
        choices=choices,
        shots=tuple(dict.fromkeys(str(parse_shots(text)) for text in shots)),
        draws=tuple(dict.fromkeys(parsed["draw"])) if "draw" in parsed else None,
        seeds=tuple(dict.fromkeys(seeds)),
        vals=tuple(dict.fromkeys(vals)),
        pool=pool,
        data=checked_data(config["data"]),
        executor=config["executor"],
        device=str(config["device"]),
        deterministic=checked_flag("deterministic", config["deterministic"]),
        results=Path(str(config["results"])).expanduser(),
        keep=tuple(dict.fromkeys(keep)),
        rerun=config["rerun"],
        predict_limit=check_predict_limit(config["predict_limit"]),
    )
