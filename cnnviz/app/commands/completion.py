"""``cnnviz completion``: a shell's completion script."""

import os
from dataclasses import dataclass
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from cnnviz.app.declare import argument
from cnnviz.app.photo_command import plain_command

SHELLS = ("bash", "zsh", "fish")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of ``cnnviz completion``."""

    shell: str | None = argument(type=click.Choice(SHELLS), required=False)


@plain_command(Options)
def completion(options: Options) -> None:
    """Print the script that completes commands, options, networks, layers and classes in SHELL.

    SHELL is bash, zsh or fish; by default your shell, from the environment variable SHELL.

    \b
    Examples:
      cnnviz completion >> ~/.bashrc
      cnnviz completion fish > ~/.config/fish/completions/cnnviz.fish
    """
    shell = options.shell or Path(os.environ.get("SHELL", "")).name
    kind = get_completion_class(shell) if shell in SHELLS else None
    if kind is None:
        raise click.UsageError(f"name a shell, {', '.join(SHELLS)}: the environment variable SHELL names none of them")
    root = click.get_current_context().find_root()
    click.echo(kind(root.command, {}, "cnnviz", "_CNNVIZ_COMPLETE").source())
