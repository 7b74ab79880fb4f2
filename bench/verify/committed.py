"""Which source a method had in any commit of this repository."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

HASHES = """
import json
from bench.registry import discover, source_hash
found = {name: source_hash(entry.folder) for name, entry in discover().methods.items()}
print(json.dumps(found))
"""
CODE = (
    ":(glob)bench/**/*.py",
    ":(glob)methods/**",
    ":(glob)datasets/**/*.py",
    ":(glob)datasets/**/card.yaml",
)
"""What the hashes depend on, and the cards; no weights, no records."""
LIMIT = 120.0


class History:
    """Commits are looked at from the newest on, and only as far as a question needs.

    Each commit's hashes are worked out by its own code, as when its records were made.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.known: dict[tuple[str, str], str] = {}
        self._commits = self._walk()

    @property
    def here(self) -> bool:
        """False where this is no git checkout, or one without a commit."""
        return self._git("rev-parse", "--verify", "HEAD") is not None

    @property
    def shallow(self) -> bool:
        return self._git("rev-parse", "--is-shallow-repository") == b"true\n"

    def commit_of(self, method: str, source: str) -> str | None:
        """The newest commit in which the method had this source."""
        while (method, source) not in self.known:
            found = next(self._commits, None)
            if found is None:
                return None
            commit, hashes = found
            for name, value in hashes.items():
                self.known.setdefault((name, value), commit)
        return self.known[method, source]

    def _walk(self) -> Iterator[tuple[str, dict[str, str]]]:
        """HEAD, then every commit that changed code of methods."""
        head = self._git("rev-parse", "HEAD")
        if head is None:
            return
        listed = self._git("log", "--format=%H", "HEAD", "--", "methods", "datasets") or b""
        for commit in dict.fromkeys([head.decode().strip(), *listed.decode().split()]):
            yield commit, self._hashes(commit)

    def _hashes(self, commit: str) -> dict[str, str]:
        """Empty for a commit whose code cannot say: before there was a registry."""
        with tempfile.TemporaryDirectory(prefix="sambench-commit-") as folder:
            for pattern in CODE:  # a pattern that fits nothing is an error of `git archive`
                packed = self._git("archive", commit, "--", pattern)
                if packed is not None:
                    with tarfile.open(fileobj=BytesIO(packed)) as archive:
                        archive.extractall(folder, filter="data")
            done = subprocess.run(
                [sys.executable, "-c", HASHES],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=LIMIT,
                check=False,
            )
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {}

    def _git(self, *words: str) -> bytes | None:
        try:
            done = subprocess.run(
                ["git", *words], cwd=self.root, capture_output=True, timeout=LIMIT, check=False
            )
        except FileNotFoundError:  # no git on this machine
            return None
        return done.stdout if done.returncode == 0 else None
