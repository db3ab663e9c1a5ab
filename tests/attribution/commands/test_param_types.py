"""Lists of attribution methods on the command line."""

import click
import pytest

from cnnviz.attribution.commands.param_types import AttributionNames


def test_names_are_separated_by_commas_and_taken_once() -> None:
    assert AttributionNames().convert("guided, gradient,guided", None, None) == ("guided", "gradient")
    with pytest.raises(click.BadParameter, match="did you mean smoothgrad"):
        AttributionNames().convert("smoothgard", None, None)


def test_completion_continues_after_the_last_comma() -> None:
    context = click.Context(click.Command("attribute"))
    items = AttributionNames().shell_complete(context, click.Option(["--method"]), "guided,smo")
    assert [item.value for item in items] == ["guided,smoothgrad"]
