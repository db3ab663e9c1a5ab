"""What the pages' generated blocks show: each command's own help, at one width whatever the terminal."""

from click.testing import CliRunner

from cnnviz.cli import cli

WIDTH = 98


def page(*words: str) -> str:
    """Return ``cnnviz WORDS --help`` and what it prints, as a block of a Markdown page."""
    line = [*words, "--help"]
    result = CliRunner().invoke(cli, line, prog_name="cnnviz", terminal_width=WIDTH, catch_exceptions=False)
    return f"```console\n$ cnnviz {' '.join(line)}\n{result.output.rstrip()}\n```\n"


def table() -> str:
    """Return the commands as a Markdown table for the README: name with a link to its page, and what it does."""
    rows = [
        f"| [{name}](docs/{name}.md) | {command.get_short_help_str(WIDTH).rstrip('.')} |\n"
        for name, command in cli.commands.items()
    ]
    return "| command | what it does |\n|---|---|\n" + "".join(rows)
