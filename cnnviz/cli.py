"""The ``cnnviz`` command: the group, and how failures become one line and an exit status."""

import os
import signal
import sys
import warnings
from types import FrameType

import click
from click.shell_completion import shell_complete

from cnnviz import __version__
from cnnviz.adversarial.commands.adversarial import adversarial
from cnnviz.adversarial.commands.robustness import robustness
from cnnviz.adversarial.commands.sticker import sticker
from cnnviz.app.commands.classes import classes
from cnnviz.app.commands.classify import classify
from cnnviz.app.commands.completion import completion
from cnnviz.app.commands.doctor import doctor
from cnnviz.app.commands.layers import layers
from cnnviz.app.commands.models import models
from cnnviz.app.commands.show import show
from cnnviz.app.console import Console
from cnnviz.attribution.commands.attribute import attribute
from cnnviz.attribution.commands.evaluate import evaluate
from cnnviz.attribution.commands.occlude import occlude
from cnnviz.errors import CnnvizError, Status, Terminated, internal_error, printable
from cnnviz.features.commands.activations import activations
from cnnviz.features.commands.deconv import deconv
from cnnviz.features.commands.kernels import kernels
from cnnviz.synthesis.commands.dream import dream
from cnnviz.synthesis.commands.inceptionism import inceptionism
from cnnviz.synthesis.commands.visualize import visualize

COMPLETE = "_CNNVIZ_COMPLETE"


class InOrder(click.Group):
    """A group that lists its commands in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in order."""
        return list(self.commands)


@click.group(cls=InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="cnnviz %(version)s")
@click.option("--debug", is_flag=True, expose_value=False, help="Show where in the program an error arose.")
def cli() -> None:
    """See what a convolutional network sees.

    \b
    Start here:
      cnnviz occlude photo.jpg       draw what the network's answer rests on
      cnnviz classify photo.jpg      print what the network takes it for
      cnnviz dream photo.jpg         change it into what a layer answers to
    """


COMMANDS = (
    occlude, attribute, deconv, dream, inceptionism, visualize, adversarial, sticker, robustness, evaluate, activations,
    kernels, classify, models, layers, classes, show, doctor, completion,
)  # fmt: skip
for command in COMMANDS:
    cli.add_command(command)


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
        status = _run(sys.argv[1:])
    except (KeyboardInterrupt, Terminated) as end:  # a second signal, on the way out
        status = _end(end)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # all is done: a late Ctrl-C is no reason for a traceback
    _drop_what_cannot_be_written()
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


def _run(words: list[str]) -> int:
    """Run, and say in one line what went wrong; a traceback only with --debug."""
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
        text, status = _explain(error)
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


def _explain(error: Exception) -> tuple[str, int]:
    """Return the line and the exit status for what ended the run."""
    if isinstance(error, click.ClickException):
        path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "cnnviz"
        return f"{' '.join(error.format_message().split())} (see {path} --help)", error.exit_code
    if isinstance(error, CnnvizError):
        return str(error), error.status
    if isinstance(error, OSError):
        where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "standard output"
        return f"{printable(where)}: {(error.strerror or str(error)).lower()}", Status.FAILED
    if isinstance(error, MemoryError):
        return "memory ran out", Status.FAILED
    return internal_error(error), Status.FAILED


def _end(end: BaseException) -> int:
    """Leave quietly: the reader has gone, or somebody stopped us."""
    if isinstance(end, BrokenPipeError):
        return Status.BROKEN_PIPE
    if isinstance(end, Terminated):
        return Status.TERMINATED
    Console().error("interrupted")
    return Status.INTERRUPTED
