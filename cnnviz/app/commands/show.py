"""``cnnviz show``: the recipe inside a file, and the same file made again: the recorded options as a command line."""

import json
import os
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from cnnviz.app.console import Console
from cnnviz.app.declare import Command, argument, option
from cnnviz.app.photo_command import INPUT_NAME, plain_command
from cnnviz.app.recorder import versions
from cnnviz.app.records import is_unfinished
from cnnviz.app.runner import second_option
from cnnviz.errors import CnnvizError
from cnnviz.io.recipe import Recipe, read_required
from cnnviz.io.write import FORMATS
from cnnviz.models.weights import sha256
from cnnviz.text import printable

LONGEST = 60  # letters of a recipe's own words that a message repeats
INCOMPLETE = "the recipe is incomplete: it lacks its options or its input"
FOREIGN_SHEET = "the recipe is of a second image that no command draws"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of ``cnnviz show``."""

    file: str = argument(type=click.Path())
    rerun: bool = option("Make the file again by its recipe.", default=False)
    input: str | None = option("The photo that the recipe was made from. [default: looked for beside FILE and here]",
                               default=None, type=click.Path(), metavar="PHOTO", requires="rerun")  # fmt: skip
    output: str | None = option("Where the file made again goes: with --rerun.", "-o", "--output", default=None,
                                type=click.Path(allow_dash=True), metavar="FILE|-", panel="Output",
                                requires="rerun")  # fmt: skip
    overwrite: bool = option("Replace files that cnnviz did not write.", default=False, panel="Output")


@plain_command(Options)
def show(options: Options) -> None:
    """Print the recipe inside FILE, as JSON: command, options, input, versions, numbers.

    With --rerun the same command runs again on the same photo, which must have the recorded sha256; on the same machine
    and versions this gives the same bytes.

    \b
    Examples:
      cnnviz show cat-occlude.png
      cnnviz show --rerun cat-occlude.png --input cat.jpg -o again.png
    """
    file = Path(options.file)
    recipe = read_required(file)
    if not options.rerun:
        text = json.dumps(recipe, indent=2, ensure_ascii=False)  # whose strings can do nothing to a terminal:
        click.echo("".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text))
        return
    if options.output is None:
        raise click.UsageError("--rerun needs -o: where the file made again goes")
    with tempfile.TemporaryDirectory() as spare:
        words = output_words(file, recipe, options.output, Path(spare))
        rerun(file, recipe, options.input, words + ["--overwrite"] * options.overwrite)


def output_words(file: Path, recipe: Recipe, output: str, spare: Path) -> list[str]:
    """Return the words that say where the file made again goes.

    Arrays and second images come beside an image that nobody asked for here: it goes to the folder ``spare``.
    """
    if file.suffix.lower() == ".npz":
        return ["--raw", output, "-o", str(spare / "image.png"), "--quiet"]
    if (sheet := recipe.get("sheet")) is None:
        return ["-o", output]
    kind = sheet if isinstance(sheet, dict) else {}
    name, ending = kind.get("option"), str(kind.get("picture") or ".png")
    if not (isinstance(name, str) and name.isidentifier()) or ending not in FORMATS:
        raise CnnvizError(FOREIGN_SHEET)
    return [f"--{name}", output, "-o", str(spare / f"image{ending}"), "--quiet"]


def rerun(file: Path, recipe: Recipe, photo: str | None, output: list[str]) -> None:
    """Run the command of a recipe again; ``output`` are the words that say where its files go.

    ``photo`` is the input, looked for beside ``file`` and here where it is None; its sha256 must be the recorded one.
    Raises click's Exit with the command's status, CnnvizError where the recipe or a file does not fit.
    """
    check_recipe(recipe)
    root = click.get_current_context().find_root()
    assert isinstance(root.command, click.Group)
    command = root.command.get_command(root, recipe["command"])
    names = {item.name for item in fields(command.options)} if isinstance(command, Command) else set()
    if not (isinstance(command, Command) and command.run.record and "output" in names):
        raise click.UsageError(f"this cnnviz has no command {recipe['command'][:LONGEST]!r} that writes a file")
    sheet = recipe.get("sheet")
    if sheet is not None and not (isinstance(sheet, dict) and sheet.get("option") == second_option(command.options)[0]):
        raise CnnvizError(FOREIGN_SHEET)
    if is_unfinished(command.run.record, recipe.get("numbers") or {}):
        how = "the same command with --resume continues" if "resume" in names else "run the command again"
        raise CnnvizError(f"{printable(str(file))}: was stopped before its end; {how}")
    subject = _subject(command, file, recipe, photo)
    words = [*_option_words(command, recipe["options"], file), *output, *(["--", subject] if subject else [])]
    with command.make_context(command.name, words, parent=root) as context:
        if recipe["input"]:
            context.meta[INPUT_NAME] = recipe["input"]["name"]
        try:
            command.invoke(context)
        except click.exceptions.Exit as leave:
            if leave.exit_code == 0:
                _note_versions(recipe.get("versions"))
            raise


def check_recipe(recipe: Recipe) -> None:
    """Refuse a recipe that no cnnviz has written: anybody can put one into an image."""
    source, options = recipe.get("input"), recipe.get("options")
    named = isinstance(source, dict) and all(isinstance(source.get(key), str) for key in ("name", "sha256"))
    alone = "input" in recipe and source is None  # of a network, without a photo
    if not (named or alone) or not isinstance(options, dict):
        raise CnnvizError(INCOMPLETE)


def _subject(command: Command, file: Path, recipe: Recipe, photo: str | None) -> str:
    """Return the input of the command: a photo, the word that stands for none, or "" for a command without inputs."""
    source = recipe["input"]
    inputs = next((item for item in fields(command.options) if item.name == "inputs"), None)
    if source is None and (inputs is None or "word" in inputs.metadata):
        if photo and inputs is None:
            raise click.UsageError(f"--input: {command.name} takes no photo")
        return "" if inputs is None else str(inputs.metadata["word"])
    if source is None or inputs is None:
        raise CnnvizError(INCOMPLETE)
    if "photos" in source:
        raise CnnvizError(f"{printable(str(file))}: is made of many photos, {source['name']}; run the command again")
    path = Path(photo) if photo else _beside(file, source["name"], "the photo", "name it with --input")
    _check_same(path, source["sha256"])
    return str(path)


def _option_words(command: Command, options: Recipe, file: Path) -> list[str]:
    """Return the recorded options as words of a command line; those that this version lacks are refused."""
    declared = {item.name: item.metadata["option"] for item in fields(command.options) if "option" in item.metadata}
    params = {param.name: param for param in command.params}
    words: list[str] = []
    for name, value in options.items():
        if name not in declared or not (declared[name].recorded or declared[name].file):
            raise click.UsageError(f"this cnnviz has no option {name[:LONGEST]!r} that the recipe was made with")
        param = params[name]
        assert isinstance(param, click.Option)
        flag = max(param.opts, key=len)
        values = value if isinstance(value, list) and param.multiple else [value]
        if param.is_flag:
            words += [flag] if value is True else []
        elif value is None:
            continue
        elif declared[name].file or any(isinstance(item, dict) for item in values):  # a value that may be a file is one
            words += [f"{flag}={_recorded_file(record, flag, file)}" for record in values]
        else:
            words += [f"{flag}={','.join(map(str, item)) if isinstance(item, list) else item}" for item in values]
    return words


def _recorded_file(value: Any, flag: str, file: Path) -> Path:
    """Find the file that an option was given, and check that it is the same."""
    record = value if isinstance(value, dict) else {}
    path = _beside(file, str(record.get("file")), f"the file of {flag}", "put it there")
    _check_same(path, record.get("sha256"))
    return path


def _beside(file: Path, name: str, what: str, hint: str) -> Path:
    """Find a recorded file by its base name, beside the result or in the current folder."""
    for folder in (file.parent, Path()):
        if os.path.isfile(path := folder / Path(name).name):
            return path
    raise CnnvizError(f"{printable(str(file))}: {what}, {printable(name)}, is neither beside it nor here; {hint}")


def _check_same(path: Path, digest: Any) -> None:
    name = printable(str(path))
    if not os.path.isfile(path):
        raise CnnvizError(f"{name}: {'is not a file' if os.path.exists(path) else 'no such file'}")
    if sha256(path) != digest:
        raise CnnvizError(f"{name}: is not the file that the recipe was made with (another sha256)")


def _note_versions(recorded: Any) -> None:
    """Note which versions differ here: then the bytes may differ too."""
    there = recorded if isinstance(recorded, dict) else {}
    pairs = [(name, str(there.get(name))[:LONGEST], now) for name, now in versions(moving="av" in there).items()]
    if other := [f"{name} {then}, here {now}" for name, then, now in pairs if then != now]:
        Console().note(f"the bytes may differ: made with {'; '.join(other)}")
