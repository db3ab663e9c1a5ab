"""What the tests share: the real command in a process of its own, and photographs to give it."""

import os
import subprocess
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as cnnviz itself does; before torch is imported
COMMAND = str(Path(sysconfig.get_path("scripts")) / "cnnviz")
PHOTOS = Path(__file__).parent.parent / "sample_images"
# Settings of whoever runs the tests that would change what the command says.
UNSET = ("NO_COLOR", "FORCE_COLOR", "PYTHONWARNINGS", "COLUMNS", "_CNNVIZ_COMPLETE")


@dataclass(frozen=True)
class Ran:
    """What a process left: its exit status as a shell sees it, and the bytes of both streams."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def errors(self) -> list[str]:
        """Standard error, line by line."""
        return self.stderr.decode().splitlines()


Run = Callable[..., Ran]


def environment(**changes: str) -> dict[str, str]:
    """The environment of a test's process: that of the tests, without what would change the answers.

    torch's threads sleep while they wait, so that tests side by side do not take each other's processor.
    """
    own = {key: value for key, value in os.environ.items() if key not in UNSET}
    return {"OMP_WAIT_POLICY": "passive"} | own | changes


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run ``cnnviz WORD...`` in the test's own folder.

    ``stdin`` are bytes to pipe in; ``script`` is for a shell to run instead, in which $1 is cnnviz and the words
    follow; ``env`` changes the environment; what else is given goes to ``subprocess.run``.
    """

    def start(
        *words: str | bytes | Path,
        stdin: bytes = b"",
        script: str = "",
        env: dict[str, str] | None = None,
        cwd: Path = tmp_path,
        timeout: float = 120,
        **options: Any,
    ) -> Ran:
        command = ["bash", "-c", script, "bash", COMMAND, *words] if script else [COMMAND, *words]
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            cwd=cwd,
            env=environment(**(env or {})),
            timeout=timeout,
            **options,
        )
        status = 128 - done.returncode if done.returncode < 0 else done.returncode
        return Ran(status, done.stdout, done.stderr)

    return start


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photograph of a cat in the test's own folder: cat.jpg."""
    path = tmp_path / "cat.jpg"
    path.write_bytes((PHOTOS / "chelsea.jpg").read_bytes())
    return path


@pytest.fixture
def commanded(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Let commands run with a network of the test's own, whatever --model names."""
    from cnnviz.app.session import Session as Command

    return lambda network: monkeypatch.setattr(Command, "network", network)
