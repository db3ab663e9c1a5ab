"""``cnnviz completion``: a shell's completion script."""

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, get_completion_class


class Bash(BashComplete):
    """Bash puts what it is given into the line as it is, so names with blanks need their backslashes."""

    def format_completion(self, item: CompletionItem) -> str:
        """Return an item with a backslash before each blank and quote, doubled because click's script reads them."""
        value = "".join(f"\\\\{c}" if c in " '\"&()" else c for c in item.value)
        return f"{item.type},{value}"


add_completion_class(Bash)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands, options, networks and classes in SHELL.

    \b
    Examples:
      cnnviz completion bash >> ~/.bashrc
      cnnviz completion fish > ~/.config/fish/completions/cnnviz.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # the choices are those that click knows
    root = context.find_root()
    click.echo(kind(root.command, {}, "cnnviz", "_CNNVIZ_COMPLETE").source())
