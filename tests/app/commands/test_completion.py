"""``completion``: what the shells are told, and a real bash that listens."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cnnviz.app.discovery import entries
from cnnviz.models import catalog
from tests.conftest import COMMAND, Run, environment


def completed(run: Run, *words: str, env: dict[str, str] | None = None) -> list[str]:
    env = (env or {}) | {
        "_CNNVIZ_COMPLETE": "bash_complete",
        "COMP_WORDS": "\n".join(["cnnviz", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = run(env=env)
    assert (done.status, done.stderr) == (0, b"")
    return done.stdout.decode().splitlines()


def test_commands_options_networks_and_classes(run: Run) -> None:
    assert completed(run, "") == [f"plain,{name}" for name in [*entries(), "help"]]
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


@pytest.mark.parametrize(("env", "options"), [("/usr/bin/fish", ()), ("", ("fish",))])
def test_without_a_name_it_is_the_users_shell(env: str, options: tuple[str, ...], run: Run) -> None:
    done = run("completion", *options, env={"SHELL": env})
    assert b"_CNNVIZ_COMPLETE=fish" in done.stdout


@pytest.mark.parametrize("env", ["", "/bin/tcsh"])
def test_a_shell_that_is_not_supported_is_one_line(env: str, run: Run) -> None:
    done = run("completion", env={"SHELL": env})
    assert (done.status, len(done.errors)) == (2, 1)
    assert done.errors[0].startswith("cnnviz: name a shell, bash, zsh, fish")


def test_layers_of_the_network(run: Run, tmp_path: Path) -> None:
    names = "XDG_CACHE_HOME", str(tmp_path)
    for words, start in (([], "blocks.6"), (["-m", "alexnet"], "features.1")):
        found = completed(run, "occlude", *words, "--layer", start, env=dict([names]))
        assert len(found) > 1
        assert all(name.startswith(f"plain,{start}") for name in found)
    assert len(list(tmp_path.rglob("layers-*.txt"))) == 2


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
    assert in_bash(tmp_path, "cnnviz", "cl") == ["classes", "classify"]


def test_names_with_blanks_and_quotes_arrive_as_one_word(tmp_path: Path) -> None:
    for start, name in (("tiger", "tiger cat"), ("carpenter", "carpenter's kit")):
        offered = in_bash(tmp_path, "cnnviz", "occlude", "--class", start)
        words = [
            subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, text=True) for word in offered
        ]
        assert name in [word.stdout for word in words]
        assert all(word.stderr == "" for word in words)
    assert in_bash(tmp_path, "cnnviz", "occlude", "--class", r"tiger\ c") == [r"tiger\ cat"]
