"""The click class: completion does not trip over what a finished line would be refused for."""

from click.shell_completion import ShellComplete

from cnnviz.app.declare import command
from tests.app.test_declare import Options


def test_completion_goes_on_after_an_option_given_twice():
    toy = command(Options, "toy", "A toy.", print)
    complete = ShellComplete(toy, {}, "toy", "_TOY")
    items = complete.get_completions(["--size", "1", "--size", "2", "--kind"], "")
    assert [item.value for item in items] == ["a", "b"]
