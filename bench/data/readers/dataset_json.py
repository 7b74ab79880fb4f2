"""`dataset.json` of nnU-Net (raw, both versions) and of the Medical Segmentation Decathlon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bench.errors import RequestError
from bench.smallfile import read_json


@dataclass(frozen=True)
class DatasetJson:
    """What of it is used.

    labels    structure -> value, background and "ignore" included
    channels  name of each image channel, in order
    training  (image, label) paths relative to the file's folder; nnU-Net 2 lists none
    patients  case -> patient, sites  case -> site: two keys of our own, both optional
    """

    path: Path
    name: str
    labels: Mapping[str, int]
    channels: tuple[str, ...]
    training: tuple[tuple[str, str], ...]
    patients: Mapping[str, str]
    sites: Mapping[str, str]

    @property
    def classes(self) -> tuple[str, ...]:
        """Structures in the order of their values, which must be 1, 2, ... without a gap."""
        named = {value: name for name, value in self.labels.items() if value != self.ignore}
        named.pop(0, None)
        if not named or sorted(named) != list(range(1, len(named) + 1)):
            raise RequestError(
                f"{self.path}: 'labels' must count 1, 2, 3, ... without a gap, "
                f"not {', '.join(map(str, sorted(named))) or 'nothing'}"
            )
        return tuple(named[value] for value in sorted(named))

    @property
    def ignore(self) -> int | None:
        """nnU-Net's value of voxels that nobody labelled."""
        return next((v for name, v in self.labels.items() if name.lower() == "ignore"), None)


def read_dataset_json(folder: Path) -> DatasetJson:
    """Raises RequestError where the file is missing or is not what the two formats allow."""
    path = folder / "dataset.json"
    try:
        content = read_json(path)
    except FileNotFoundError as error:
        raise RequestError(
            f"{folder} has no dataset.json; write one with its labels, such as "
            '{"labels": {"background": 0, "liver": 1}}'
        ) from error
    except (OSError, ValueError) as error:
        raise RequestError(f"{path} is not readable as JSON: {error}") from error
    if not isinstance(content, dict):
        raise RequestError(f"{path} holds no JSON object")
    channels = content.get("channel_names", content.get("modality", {}))
    return DatasetJson(
        path=path,
        name=str(content.get("name") or folder.resolve().name),
        labels=_labels(content.get("labels"), path),
        channels=tuple(map(str, channels.values())) if isinstance(channels, dict) else (),
        training=_training(content.get("training"), path),
        patients=_names(content, "patients", path),
        sites=_names(content, "sites", path),
    )


def _labels(entry: Any, path: Path) -> Mapping[str, int]:
    """{"liver": 1} of nnU-Net 2, or {"1": "liver"} of nnU-Net 1 and the decathlon."""
    if not isinstance(entry, dict) or not entry:
        raise RequestError(f"{path}: 'labels' is missing or empty")
    try:
        if all(str(key).isdecimal() for key in entry):
            labels = {str(name): int(value) for value, name in entry.items()}
        else:
            labels = {str(name): int(value) for name, value in entry.items()}
    except (TypeError, ValueError, OverflowError) as error:
        raise RequestError(
            f"{path}: 'labels' must give each structure one whole number; regions are not read"
        ) from error
    if len(labels) < len(entry) or len(set(labels.values())) < len(labels):
        raise RequestError(f"{path}: 'labels' names a structure or a value twice")
    return labels


def _training(entry: Any, path: Path) -> tuple[tuple[str, str], ...]:
    if entry is None:
        return ()
    try:
        pairs = tuple((str(item["image"]), str(item["label"])) for item in entry)
    except (TypeError, KeyError) as error:
        raise RequestError(f"{path}: 'training' must list objects with image and label") from error
    for place, pair in enumerate(pairs, start=1):
        for inside in map(PurePosixPath, pair):
            if inside.is_absolute() or ".." in inside.parts:  # not named: a name may be a patient's
                raise RequestError(f"{path}: 'training' points out of its folder in entry {place}")
    return pairs


def _names(content: Mapping[str, Any], key: str, path: Path) -> Mapping[str, str]:
    entry = content.get(key, {})
    if not isinstance(entry, dict):
        raise RequestError(f"{path}: '{key}' must map a case to its {key.removesuffix('s')}")
    return {str(case): str(name) for case, name in entry.items()}
