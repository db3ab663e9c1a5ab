"""The ``cnnviz`` command: the group, and how failures become one line and an exit status."""

import os
import signal
import sys
import warnings
from pathlib import Path
from types import FrameType

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, shell_complete
from rich_click import RichGroup
from rich_click.rich_panel import RichCommandPanel

from cnnviz import __version__
from cnnviz.app.console import Console
from cnnviz.app.discovery import SECTIONS, entries, section_entries, section_title
from cnnviz.app.interrupts import LEAVING
from cnnviz.app.jobs import ENDINGS
from cnnviz.errors import CnnvizError, Status, Terminated, internal_error
from cnnviz.text import did_you_mean, printable

COMPLETE = "_CNNVIZ_COMPLETE"
OVERVIEW = "cnnviz.overview"  # key of click's context: commands by name and summary are enough
HELP = {
    "theme": "default-slim",
    "text_paragraph_linebreaks": "\n\n",
    "padding_helptext_first_line": (0, 0, 1, 0),
    "options_table_column_types": ["opt_short", "opt_long", "metavar", "help"],  # metavars with their brackets
    "options_table_help_sections": ["help", "required", "default"],
    "default_string": "\\[default: {}]",
}
CONTEXT = {"help_option_names": ["-h", "--help"], "rich_help_config": HELP}


class Bash(BashComplete):
    """Bash completion with escaped names: bash inserts them unquoted into the command line."""

    def format_completion(self, item: CompletionItem) -> str:
        """Return an item with a backslash before each blank and quote, doubled because click's script reads them."""
        value = "".join(f"\\\\{c}" if c in " '\"&()" else c for c in item.value)
        return f"{item.type},{value}"


add_completion_class(Bash)


class Overview(RichGroup):
    """The group of all commands; a command is imported when it runs, the overview and completion need names alone."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help."""
        return [*entries(), "help"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; in the overview, its name and summary."""
        entry = entries().get(cmd_name)
        if entry is None:
            return super().get_command(ctx, cmd_name)
        return click.Command(cmd_name, help=entry.summary) if ctx.meta.get(OVERVIEW) else entry.load()

    def get_help(self, ctx: click.Context) -> str:
        """Return the overview."""
        ctx.meta[OVERVIEW] = True
        self.panels.clear()
        for section in filter(section_entries, SECTIONS):
            names = [entry.name for entry in section_entries(section)] + ["help"] * (section == "app")
            self.panels.append(RichCommandPanel(section_title(section), commands=names))
        return super().get_help(ctx)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin so."""
        ctx.meta[OVERVIEW] = True
        return super().shell_complete(ctx, incomplete)


@click.group(cls=Overview, context_settings=CONTEXT)
@click.version_option(__version__, message="cnnviz %(version)s")
@click.option("--debug", is_flag=True, expose_value=False, help="Show where in the program an error arose.")
def cli() -> None:
    """Visualise and explain convolutional networks.

    Takes photos, writes images; each image contains the command and options that made it. cnnviz COMMAND --help
    explains a command.

    \b
    Start here:
      cnnviz classify photo.jpg    the most probable classes
      cnnviz occlude photo.jpg     which parts the class score depends on
      cnnviz dream photo.jpg       deep dream: increase a layer's activation
    """


@cli.command("help")
@click.argument("command", default="")
@click.pass_context
def show_help(context: click.Context, command: str) -> None:
    """Show the help of COMMAND, or this overview."""
    root = context.find_root()
    found = cli.get_command(root, command) if command else cli
    if found is None:
        raise click.UsageError(f"No such command {command!r}{did_you_mean(command, [*entries()])}")
    click.echo(found.get_help(found.context_class(found, info_name=command, parent=root) if command else root))


def main() -> None:
    """Run the command line and leave with its exit status."""
    # torch's threads wait for each other some sixty times a picture. Asleep, not spinning: half the CPU time beside
    # another program, for some wall time where there is none (benchmarks/waiting.py).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    _occupy_closed_streams()
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _terminate)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # remarks of libraries to programmers
    try:
        status = invoke(sys.argv[1:])
        LEAVING.set()
    except (KeyboardInterrupt, Terminated) as end:  # a second signal, on the way out
        status = _end(end)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # all is done: a late Ctrl-C is no reason for a traceback
    _drop_what_cannot_be_written()
    if status == Status.INTERRUPTED:
        os._exit(status)  # all is cleaned up; libraries take up to a second to leave
    sys.exit(status)


def _occupy_closed_streams() -> None:
    """Where a standard stream is closed, put what fails when it is used: else the next file takes its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if number == 1 else os.O_WRONLY)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
        if number:
            getattr(sys, name).reconfigure(errors="backslashreplace")


def _drop_what_cannot_be_written() -> None:
    """Let what is left in the buffers go nowhere, so that Python's own exit stays quiet."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated


def invoke(words: list[str]) -> int:
    """Run one command line in this process and return its exit status; a failure is one line on standard error."""
    try:
        status = _invoke(words)
        sys.stdout.flush()
        return status
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return Status.USAGE
    except (KeyboardInterrupt, BrokenPipeError, Terminated) as end:
        return _end(end)
    except Exception as error:  # noqa: BLE001 - the outermost line: a bug still ends in one line
        text, status = _explain(error, words)
        Console(debug="--debug" in words).error(text)
        return status


def _invoke(words: list[str]) -> int:
    """Do what click's own main does, without its handling of interrupts and broken pipes."""
    if instruction := os.environ.get(COMPLETE):
        return shell_complete(cli, {}, "cnnviz", COMPLETE, instruction)
    try:
        with cli.make_context("cnnviz", [*words]) as context:
            cli.invoke(context)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    return Status.OK


def _explain(error: Exception, words: list[str]) -> tuple[str, int]:
    """Return the line and the exit status for what ended the run."""
    if isinstance(error, click.ClickException):
        path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "cnnviz"
        text = " ".join(error.format_message().split())
        return f"{text}{_dashed_file(error, words)} (see {path} --help)", error.exit_code
    if isinstance(error, CnnvizError):
        return str(error), error.status
    if isinstance(error, OSError):
        where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "standard output"
        return f"{printable(where)}: {(error.strerror or str(error)).lower()}", Status.FAILED
    return "memory ran out" if isinstance(error, MemoryError) else internal_error(error), Status.FAILED


def _dashed_file(error: click.ClickException, words: list[str]) -> str:
    """Return a hint where a file's name begins with a dash and was read as options."""
    names = [word for word in words if word.startswith("-") and Path(word).suffix.lower() in ENDINGS]
    wrong = isinstance(error, click.NoSuchOption) and names
    return f" For the file, write ./{printable(names[0])}, or put -- before the files." if wrong else ""


def _end(end: BaseException) -> int:
    """Leave quietly: the reader has gone, or somebody stopped us."""
    if isinstance(end, BrokenPipeError):
        return Status.BROKEN_PIPE
    if isinstance(end, Terminated):
        return Status.TERMINATED
    LEAVING.set()
    Console().error("interrupted")
    return Status.INTERRUPTED
