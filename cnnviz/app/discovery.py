"""The commands of each package, found by their modules' names: PACKAGE/commands/NAME.py defines the function NAME.

Names and first lines of help are read from the sources, so that the overview and completion import no command.
"""

import importlib
import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from cnnviz.app.declare import Command

SECTIONS = ("attribution", "features", "synthesis", "adversarial", "dense", "report", "app")  # in the order of the help
PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Entry:
    """A command that exists: its name, and the package it belongs to."""

    name: str
    package: str

    @cached_property
    def summary(self) -> str:
        """The first line of the command's help."""
        function = self.name.replace("-", "_")
        source = (PACKAGE / self.package / "commands" / f"{function}.py").read_text("utf-8")
        return first_line(source.partition(f"\ndef {function}(")[2])

    def load(self) -> Command:
        """Import the command."""
        function = self.name.replace("-", "_")
        module = importlib.import_module(f"cnnviz.{self.package}.commands.{function}")
        command = getattr(module, function).command
        assert isinstance(command, Command)
        return command


@cache
def entries() -> dict[str, Entry]:
    """Return every command by its name, in the order of the help: by section, then by name."""
    return {entry.name: entry for section in SECTIONS for entry in section_entries(section)}


@cache
def section_entries(package: str) -> tuple[Entry, ...]:
    """Return the commands of a package, by name; none of a package that does not exist."""
    names = sorted(path.stem for path in (PACKAGE / package / "commands").glob("*.py"))
    found = (Entry(name.replace("_", "-"), package) for name in names if not name.startswith("_"))
    return tuple(entry for entry in found if entry.summary)


def section_title(package: str) -> str:
    """Return the title of a package's commands in the help: the first line of the docstring of PACKAGE/commands."""
    return first_line((PACKAGE / package / "commands" / "__init__.py").read_text("utf-8")).rstrip(".")


def first_line(source: str) -> str:
    """Return the first line of the first docstring in a source; "" without one."""
    text = re.search(r'"""(.+?)(?:\n|""")', source)
    return text[1] if text else ""
