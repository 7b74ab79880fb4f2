"""Every dependency imports from the project's root, where our `datasets` folder comes first.

A library of that name exists, and others look for it: what we depend on must not need it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

MODULES = {
    "torch": "torch",
    "torchvision": "torchvision.transforms.v2",
    "segment-anything": "segment_anything",
    "sam2": "sam2.build_sam",
    "peft": "peft",
    "monai": "monai.networks.nets",
    "nnunetv2": "nnunetv2.training.nnUNetTrainer.nnUNetTrainer",
    "hydra-core": "hydra",
    "omegaconf": "omegaconf",
    "pandas": "pandas",
    "seaborn": "seaborn",
    "timm": "timm",
    "numpy": "numpy",
    "scipy": "scipy.ndimage",
    "simpleitk": "SimpleITK",
    "nibabel": "nibabel",
    "h5py": "h5py",
    "safetensors": "safetensors.torch",
    "pydantic": "pydantic",
    "rich": "rich.progress",
    "filelock": "filelock",
    "requests": "requests",
    "urllib3": "urllib3.util",
    "psutil": "psutil",
    "pyyaml": "yaml",
}
"""Distribution -> what we import of it; the part that pulls in most of the rest."""

SCRIPT = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
failed = {}
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
    except Exception as error:
        failed[name] = f"{type(error).__name__}: {error}"
import datasets, methods
print(json.dumps({"failed": failed, "datasets": datasets.__file__, "methods": methods.__file__}))
"""


def declared(project_root: Path) -> set[str]:
    """The names that pyproject.toml depends on."""
    project = tomllib.loads((project_root / "pyproject.toml").read_text())["project"]
    return {re.split(r"[\s<>=!~\[;]", line)[0].lower() for line in project["dependencies"]}


def test_every_dependency_is_looked_at(project_root: Path) -> None:
    assert set(MODULES) == declared(project_root)


@pytest.mark.slow
def test_every_dependency_imports_beside_our_datasets(project_root: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(project_root),
        "MPLCONFIGDIR": str(tmp_path),
        **{f"nnUNet_{name}": str(tmp_path) for name in ("raw", "preprocessed", "results")},
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(list(MODULES.values()))],
        cwd=project_root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["failed"] == {}
    assert Path(found["datasets"]) == project_root / "datasets" / "__init__.py"
    assert Path(found["methods"]) == project_root / "methods" / "__init__.py"
