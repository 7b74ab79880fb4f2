"""A confined process tries to come by a label: every way that we could think of is refused."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.unit import isolation as rules
from bench.unit.isolation import make_policy, without
from bench.unit.worker import LAUNCH
from bench.worker import landlock, namespaces

ATTACKS = Path(__file__).with_name("attacks.py")
SECRET = "the answer"
ALL = (
    *("read", "listing", "symlink", "hard_link", "by_descriptor", "by_root", "by_parent_root"),
    *("by_parent_files", "parent_environment", "parent_memory", "ptrace", "vm_read", "unmount"),
    *("new_namespace", "child", "network", "write", "kill"),
)
NOT_IN_A_NAMESPACE = ("listing", "write", "kill")
"""An emptied folder can be listed, an emptied results folder is lost with the process, and signals
reach a process of the same user: none of it leads to a label."""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """The label of a test case, in a folder that is nobody's business."""
    folder = tmp_path / "labels"
    folder.mkdir()
    (folder / "label.txt").write_text(SECRET)
    return folder / "label.txt"


@pytest.fixture
def port() -> Iterator[int]:
    """A server of labels."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    line, _ = server.accept()
                except OSError:
                    return
                with line:
                    line.sendall(SECRET.encode())

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def confined(isolation: str, attack: str, target: Path, port: int, tmp_path: Path) -> str:
    """Runs it as a worker is run: its parent has the label in its memory, its environment and an
    open file."""
    scratch, results = tmp_path / "scratch", tmp_path / "results"
    for folder in (scratch, results):
        folder.mkdir()
    policy = make_policy(
        isolation,  # type: ignore[arg-type]
        scratch=scratch,
        code=[ATTACKS.parent],
        weights=tmp_path / "weights",
        private=[target.parent, results],
    )
    parent = f"""
import ctypes, json, os, signal, subprocess, sys
from bench.unit.process_tree import guard
guard()
signal.signal(signal.SIGUSR1, lambda *_: print("GOT the answer: a signal", flush=True))
kept = open({str(target)!r}).read()
held = open({str(target)!r})
policy = json.loads({json.dumps(json.dumps(policy))})
policy["parent"] = os.getpid()
done = subprocess.run([sys.executable, "-I", "-S", {str(LAUNCH)!r}, json.dumps(policy),
    sys.executable, {str(ATTACKS)!r}, {attack!r}, {str(target)!r}, {str(port)!r}, {str(results)!r}],
    cwd={str(scratch)!r}, capture_output=True, text=True, env=dict(PATH=os.environ["PATH"]))
print(done.stdout + done.stderr, flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", parent],
        capture_output=True,
        text=True,
        env={**os.environ, "LABELS": SECRET},
        timeout=60,
        check=True,
    )
    return done.stdout


def needs(isolation: str) -> None:
    if isolation == "landlock" and landlock.abi() < 6:
        pytest.skip(f"Landlock's interface here is version {landlock.abi()}, not 6")
    if isolation == "namespace" and not namespaces.available():
        pytest.skip("this user may make no namespaces here")


@pytest.mark.parametrize("attack", ALL)
@pytest.mark.parametrize("isolation", ["landlock", "namespace"])
def test_no_label_is_had(
    isolation: str, attack: str, target: Path, port: int, tmp_path: Path
) -> None:
    needs(isolation)
    if isolation == "namespace" and attack in NOT_IN_A_NAMESPACE:
        pytest.skip("not withheld there, and no way to a label")
    printed = confined(isolation, attack, target, port, tmp_path)
    assert SECRET not in printed
    assert "FAILED" in printed, printed
    assert not (tmp_path / "results" / "record.json").exists()


@pytest.mark.parametrize(
    "attack", ["read", "listing", "symlink", "by_root", "child", "network", "write"]
)
def test_without_confinement_it_is_had(
    attack: str, target: Path, port: int, tmp_path: Path
) -> None:
    """The attacks work: what stops them above is the confinement."""
    printed = confined("none", attack, target, port, tmp_path)
    assert "GOT" in printed, printed


@pytest.mark.parametrize("isolation", ["landlock", "namespace", "none"])
def test_its_own_folder_is_its_own(isolation: str, target: Path, port: int, tmp_path: Path) -> None:
    needs(isolation)
    assert "GOT allowed" in confined(isolation, "scratch", target, port, tmp_path)


def test_a_kernel_that_refuses_runs_nothing(tmp_path: Path) -> None:
    """No unit runs less confined than its record says."""
    policy = {"isolation": "namespace", "readable": [], "writable": [], "parent": os.getpid()}
    policy["hidden"] = [str(tmp_path)]
    command = [str(LAUNCH), json.dumps(policy), sys.executable, "-c", "print(1)"]
    code = (
        f"import sys, runpy; sys.argv = {command!r}\n"
        f"sys.path.insert(0, {str(LAUNCH.parent)!r})\n"
        "import os, namespaces\n"
        "os.getppid = lambda: int(%d)\n"
        "def refuse(paths): raise OSError(1, 'Operation not permitted')\n"
        "namespaces.hide = refuse\n"
        f"runpy.run_path({str(LAUNCH)!r}, run_name='__main__')" % os.getpid()
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 78
    assert "the process of the method cannot be confined" in done.stdout


def test_private_folders_are_divided_out(tmp_path: Path) -> None:
    """Labels that lie in a readable folder stay closed, and all beside them open."""
    for name in ("lib/a", "lib/b/labels", "lib/b/code", "other"):
        (tmp_path / name).mkdir(parents=True)
    found = set(without([str(tmp_path / "lib")], [str(tmp_path / "lib" / "b" / "labels")]))
    assert found == {str(tmp_path / "lib" / "a"), str(tmp_path / "lib" / "b" / "code")}
    assert list(without([str(tmp_path / "lib")], [str(tmp_path)])) == []
    assert list(without([str(tmp_path / "lib")], [str(tmp_path / "li")])) == [str(tmp_path / "lib")]


def test_the_checkout_s_results_are_not_readable(tmp_path: Path) -> None:
    policy = make_policy(
        "landlock", scratch=tmp_path, code=[], weights=tmp_path / "weights", private=[]
    )
    root = str(rules.ROOT)
    assert root not in policy["readable"]
    assert f"{root}/bench" in policy["readable"]
    assert not any(path.startswith(f"{root}/results") for path in policy["readable"])


def test_a_process_is_killed_with_its_supervisor(tmp_path: Path) -> None:
    policy = json.dumps(
        {"isolation": "none", "readable": [], "writable": [], "hidden": [], "parent": 0}
    )
    code = f"""
import json, os, subprocess, sys
policy = json.loads({policy!r}); policy["parent"] = os.getpid()
child = subprocess.Popen([sys.executable, "-I", "-S", {str(LAUNCH)!r}, json.dumps(policy),
    "/bin/sh", "-c", "echo started; exec sleep 600"], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        threading.Event().wait(0.05)
    raise AssertionError("it outlived its supervisor")


def test_the_interface_s_version_is_the_kernel_s() -> None:
    libc = ctypes.CDLL(None)
    said = libc.syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    assert landlock.abi() == max(0, said)
    assert landlock.file_rights(1) == 2**13 - 1
    assert landlock.file_rights(5) == 2**16 - 1
