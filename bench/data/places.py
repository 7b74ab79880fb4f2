"""Where downloads and converted volumes live, unless the user says otherwise."""

from __future__ import annotations

from pathlib import Path


def cache_folder(given: str | Path | None) -> Path:
    """`data.cache=DIR`, or the user's own cache folder."""
    return Path.home() / ".cache" / "sambench" if given is None else Path(given).expanduser()


def download_folder(cache: Path, dataset: str) -> Path:
    """Where the files of a dataset are put, by us or by hand."""
    return cache / "data" / dataset


def store_folder(cache: Path, dataset: str, copy_key: str) -> Path:
    """The converted volumes of one copy; two copies of a dataset never share a folder."""
    return cache / "volumes" / dataset / copy_key
