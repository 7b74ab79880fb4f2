"""The machine in a record: what a timing depends on, and nothing about who owns it."""

from __future__ import annotations

import getpass
import platform
import socket
from importlib.metadata import version

import numpy as np
import psutil
import torch

from bench.device import cpu_name
from bench.unit.machine import describe_machine, versions


def test_the_same_machine_has_the_same_fingerprint() -> None:
    assert describe_machine("cpu", 2) == describe_machine("cpu", 2)
    assert len(describe_machine("cpu", 2).fingerprint) == 12


def test_other_threads_are_another_machine() -> None:
    one, two = describe_machine("cpu", 1), describe_machine("cpu", 2)
    assert one.fingerprint != two.fingerprint
    assert (one.threads, two.threads) == (1, 2)


def test_facts_against_the_system() -> None:
    machine = describe_machine("cpu", 1)
    assert machine.cores == psutil.cpu_count()
    assert machine.memory_gb == round(psutil.virtual_memory().total / 2**30)
    assert machine.system == f"{platform.system()} {platform.machine()}"
    assert (machine.device, machine.device_memory_gb) == ("cpu", None)
    assert machine.cpu == cpu_name() != ""


def test_no_host_and_no_user() -> None:
    values = {str(value) for value in describe_machine("cpu", 1).model_dump().values()}
    assert not values & {socket.gethostname(), getpass.getuser()}


def test_versions_are_those_that_are_imported() -> None:
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["numpy"] == np.__version__
    assert found["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert found["monai"] == version("monai")
    assert "no-such-package" not in found
