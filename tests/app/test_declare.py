"""Options declared as fields: flags, defaults, panels, what excludes and requires what."""

from dataclasses import dataclass
from typing import Literal

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from cnnviz.app.declare import Command, argument, command, option


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of a toy command."""

    files: tuple[str, ...] = argument(nargs=-1)
    size: int = option("Size.", default=3, type=click.IntRange(1), metavar="PIXELS")
    kind: Literal["a", "b"] = option("Kind.", default="a")
    names: tuple[str, ...] = option("Names.", "--name", default=(), multiple=True, panel="Input")
    bare: bool = option("Bare.", default=False, panel="Figure")
    panels: bool = option("Panels.", default=False, excludes=("bare",), panel="Figure")
    layer: str | None = option("Layer.", default=None, requires="panels")


def run(*words: str) -> tuple[list[Options], str, int]:
    seen: list[Options] = []
    result = CliRunner().invoke(command(Options, "toy", "A toy.", seen.append), words)
    return seen, result.output, result.exit_code


def test_defaults_and_values_reach_the_dataclass():
    assert run()[0] == [Options(files=())]
    words = ("x", "y", "--size", "5", "--kind", "b", "--name", "n", "--name", "m", "--panels", "--layer", "l")
    assert run(*words)[0] == [
        Options(files=("x", "y"), size=5, kind="b", names=("n", "m"), panels=True, layer="l"),
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--panels", "--bare"), "--panels and --bare exclude each other"),
        (("--layer", "l"), "--layer requires --panels"),
        (("--size", "1", "--size", "2"), "--size is given 2 times"),
        (("--kind", "c"), "'c' is not one of 'a', 'b'"),
        (("--size", "0"), "0 is not in the range x>=1"),
    ],
)
def test_wrong_usage_is_refused(words, message):
    seen, output, status = run(*words)
    assert (seen, status) == ([], 2)
    assert message in " ".join(output.replace("│", " ").split())


def test_options_stand_in_the_panel_they_name():
    made = command(Options, "toy", "A toy.", print)
    assert [(panel.name, panel.options) for panel in made.panels] == [
        ("Input", ["--name"]), ("Method", ["--size", "--kind", "--layer"]), ("Figure", ["--bare", "--panels"]),
    ]  # fmt: skip


def test_a_class_given_as_an_argument_is_met_with_the_option():
    @dataclass(frozen=True, kw_only=True)
    class Classes:
        targets: tuple[str, ...] = option("Class.", "--class", default=(), multiple=True)

    result = CliRunner().invoke(command(Classes, "toy", "", print), ["banana"])
    assert result.exit_code == 2
    assert "did you mean --class banana?" in result.output
    assert isinstance(command(Classes, "toy", "", print), Command)


def test_completion_goes_on_after_an_option_given_twice():
    toy = command(Options, "toy", "A toy.", print)
    complete = ShellComplete(toy, {}, "toy", "_TOY")
    items = complete.get_completions(["--size", "1", "--size", "2", "--kind"], "")
    assert [item.value for item in items] == ["a", "b"]
