"""``completion``: what the shells are told, and a real bash that listens."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cnnviz import cli
from cnnviz.models import catalog
from tests.conftest import COMMAND, Run, environment


def completed(run: Run, *words: str) -> list[str]:
    env = {
        "_CNNVIZ_COMPLETE": "bash_complete",
        "COMP_WORDS": "\n".join(["cnnviz", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = run(env=env)
    assert (done.status, done.stderr) == (0, b"")
    return done.stdout.decode().splitlines()


def test_commands_options_networks_and_classes(run: Run) -> None:
    assert completed(run, "") == [f"plain,{name}" for name in cli.cli.commands]
    assert completed(run, "occl") == ["plain,occlude"]
    assert completed(run, "occlude", "--str") == ["plain,--stride"]
    assert completed(run, "classify", "-m", "") == [f"plain,{name}" for name in catalog.entries()]
    assert completed(run, "classify", "-m", "resnet15") == ["plain,resnet152"]
    assert completed(run, "occlude", "--fill", "b") == ["plain,black", "plain,blur"]
    assert completed(run, "occlude", "--class", "LYN") == ["plain,lynx"]
    assert completed(run, "occlude", "ca") == ["file,ca"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_prints_a_script_for_every_shell(shell: str, run: Run) -> None:
    done = run("completion", shell)
    assert (done.status, done.stderr) == (0, b"")
    assert b"_CNNVIZ_COMPLETE=" + shell.encode() in done.stdout


def in_bash(folder: Path, *words: str) -> list[str]:
    """Source the script in a real bash, and return what it offers at the end of the words."""
    bash = shutil.which("bash")
    assert bash, "bash is not installed"
    script = """
source <(cnnviz completion bash)
complete -p cnnviz >/dev/null || exit 9
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_cnnviz_completion cnnviz 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""
    path = f"{Path(COMMAND).parent}:{environment()['PATH']}"
    done = subprocess.run(
        [bash, "--norc", "-c", script, "bash", *words],
        env=environment(PATH=path),
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_a_real_bash_completes(tmp_path: Path) -> None:
    assert in_bash(tmp_path, "cnnviz", "classify", "-m", "efficientnet_l") == [
        "efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2",
    ]  # fmt: skip
    assert in_bash(tmp_path, "cnnviz", "cl") == ["classify", "classes"]


def test_names_with_blanks_and_quotes_arrive_as_one_word(tmp_path: Path) -> None:
    for start, name in (("tiger", "tiger cat"), ("carpenter", "carpenter's kit")):
        offered = in_bash(tmp_path, "cnnviz", "occlude", "--class", start)
        words = [
            subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, text=True) for word in offered
        ]
        assert name in [word.stdout for word in words]
        assert all(word.stderr == "" for word in words)
    assert in_bash(tmp_path, "cnnviz", "occlude", "--class", r"tiger\ c") == [r"tiger\ cat"]
