"""Is a request sound? What Hydra would accept and the suite does not, said in one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from math import inf, prod
from pathlib import Path
from typing import Any, cast

from bench.errors import RequestError, unknown
from bench.executors.known import executor_defaults, points
from bench.registry import Found

CONF = Path(__file__).resolve().parents[1] / "conf"
SWEPT = ("method", "dataset", "budget", "backbone", "shots", "draw", "seed", "val")
SINGLE = (
    *("data", "executor", "device", "deterministic", "results", "pool", "keep", "rerun"),
    "predict_limit",
)
JOINED = ("pool", "keep")
"""Single, and a list: all of its values hold for every unit."""
COMPOSED = ("method", "dataset", "budget", "backbone")
MOST_CHOICES, MOST_UNITS = 100_000, 10_000_000
MOST = 10**9
"""Of a budget's numbers: as seconds, thirty years."""
CARDED = ("method", "dataset")
"""Groups whose keys are on the cards of what was chosen."""


@cache
def read_conf(path: str) -> Mapping[str, Any]:
    """A file of the `conf` folder."""
    from omegaconf import OmegaConf

    return cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(CONF / f"{path}.yaml")))


def default_of(group: str) -> str:
    """What `config.yaml` chooses for a group."""
    return next(str(line[group]) for line in read_conf("config")["defaults"] if group in line)


def group_names(group: str) -> list[str]:
    """What a group may be: the files of a Hydra group; executors are also packages of others."""
    if group == "executor":
        return sorted(points())
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))


def check_name(group: str, name: str) -> None:
    if name not in group_names(group):
        raise unknown(group, name, group_names(group))


def check_size(parsed: Mapping[str, Sequence[str]]) -> None:
    """Values multiply: a few short words may ask for more than anybody can list."""
    sizes = {key: len(values) for key, values in parsed.items() if key not in JOINED}
    composed = prod(n for key, n in sizes.items() if key.partition(".")[0] in COMPOSED)
    if composed > MOST_CHOICES or prod(sizes.values()) > MOST_UNITS:
        raise RequestError(
            f"{composed} configurations and {prod(sizes.values())} units are asked for; at most "
            f"{MOST_CHOICES} and {MOST_UNITS} in one request"
        )


def check_keys(parsed: Mapping[str, Sequence[str]]) -> None:
    """Every key is one that something reads; what is single is given one value."""
    check_size(parsed)
    for key, values in parsed.items():
        head, dot, tail = key.partition(".")
        if head not in (*SWEPT, *SINGLE):
            raise unknown("option", key, (*SWEPT, *SINGLE))
        if head in SINGLE and key not in JOINED and len(values) > 1:
            raise RequestError(f"{key} takes one value, not {len(values)}")
        if key == "data":
            names = ", ".join(f"data.{name}" for name in read_conf("config")["data"])
            raise RequestError(f"say which of {names}")
        if head == "data" and tail not in read_conf("config")["data"]:
            raise unknown("option of data", tail, read_conf("config")["data"])
        if dot and head in ("budget", "backbone", "executor"):
            _check_below(head, tail, parsed)
        elif dot and head not in (*CARDED, "data"):
            raise unknown("option", key, (*SWEPT, *SINGLE))


def _check_below(group: str, key: str, parsed: Mapping[str, Sequence[str]]) -> None:
    """What follows the dot is a key of the chosen file, but not its name."""
    chosen = parsed.get(group, [default_of(group)])[0]
    check_name(group, chosen)
    values = executor_defaults(chosen) if group == "executor" else read_conf(f"{group}/{chosen}")
    keys = [name for name in values if name != "name"]
    if key not in keys:
        raise unknown(f"option of {group} {chosen}", key, keys)


def check_options(
    parsed: Mapping[str, Sequence[str]], group: str, entries: Sequence[Found]
) -> None:
    """`method.lr=...`: every chosen method has an option of this name."""
    for key in parsed:
        if key.startswith(f"{group}."):
            for found in entries:
                assert found.card is not None
                name = key.partition(".")[2]
                if name not in found.card.options:
                    kind = f"option of {group} {found.name}"
                    raise unknown(kind, name, found.card.options)


def check_budget(budget: Mapping[str, Any]) -> None:
    for name in ("seconds", "steps", "memory_gb", "probes"):
        value, whole = budget[name], name in ("steps", "probes")
        if value is None and name != "probes":
            continue
        number = isinstance(value, int | float) and not isinstance(value, bool)
        least = value >= 0 if number and name == "probes" else number and value > 0
        least = least and value <= MOST
        if not number or not least or (whole and value != int(value)):
            kind = "a whole number" if whole else "a number"
            rest = ", 0 or more" if name == "probes" else " above 0, or null"
            rest = f" of at most {MOST}" if number and MOST < value < inf else rest
            raise RequestError(f"budget.{name}={value}: {kind}{rest}")


def checked_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """The `data` group, its paths as text: a folder may be called 2024."""
    for name in ("partial", "skip_bad", "hash_ids"):
        if not isinstance(data[name], bool):
            raise RequestError(f"data.{name}={data[name]}: true or false")
    paths = {name: None if data[name] is None else str(data[name]) for name in ("root", "cache")}
    return {**data, **paths}


def checked_flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise RequestError(f"{name}={value}: true or false")
    return value
