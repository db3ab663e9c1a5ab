"""Make the file of a recipe again: the recorded options as a command line of the same command."""

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from cnnviz.app.command import Command
from cnnviz.app.console import Console
from cnnviz.app.declare import Spec
from cnnviz.app.photo_command import INPUT_NAME
from cnnviz.app.recorder import versions
from cnnviz.app.records import is_unfinished
from cnnviz.app.runner import second_option
from cnnviz.errors import CnnvizError
from cnnviz.io.recipe import Recipe
from cnnviz.models.weights import sha256
from cnnviz.text import printable

LONGEST = 60  # letters of a recipe's own words that a message repeats
INCOMPLETE = "the recipe is incomplete: it lacks its options or its input"
FOREIGN_SHEET = "the recipe is of a second image that no command draws"


def rerun(file: Path, recipe: Recipe, photo: str | None, output: list[str]) -> None:
    """Run the command of a recipe again; ``output`` are the words that say where its files go.

    ``photo`` is the input, looked for beside ``file`` and here where it is None; its sha256 must be the recorded one.
    Raises click's Exit with the command's status, CnnvizError where the recipe or a file does not fit.
    """
    check_recipe(recipe)
    root = click.get_current_context().find_root()
    group = root.command
    assert isinstance(group, click.Group)
    command = group.get_command(root, recipe["command"])
    writes = isinstance(command, Command) and command.run.record and "output" in field_names(command)
    if not (isinstance(command, Command) and writes):
        raise click.UsageError(f"this cnnviz has no command {recipe['command'][:LONGEST]!r} that writes a file")
    sheet = recipe.get("sheet")
    if sheet is not None and not (isinstance(sheet, dict) and sheet.get("option") == second_option(command.options)):
        raise CnnvizError(FOREIGN_SHEET)
    if is_unfinished(command.run.record, recipe.get("numbers") or {}):
        resumes = "resume" in field_names(command)
        how = "the same command with --resume continues" if resumes else "run the command again"
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


def field_names(command: Command) -> set[str]:
    """Return the names of a command's options and arguments."""
    return {item.name for item in fields(command.options)}


def output_words(file: Path, recipe: Recipe, output: str, spare: Path) -> list[str]:
    """Return the words that say where the file made again goes.

    Arrays and second images come beside an image that nobody asked for here: it goes to the folder ``spare``.
    """
    if file.suffix.lower() == ".npz":
        return ["--raw", output, "-o", str(spare / "image.png"), "--quiet"]
    if (sheet := recipe.get("sheet")) is None:
        return ["-o", output]
    from cnnviz.io.write import FORMATS

    kind = sheet if isinstance(sheet, dict) else {}
    option, ending = kind.get("option"), str(kind.get("picture") or ".png")
    if not (isinstance(option, str) and option.isidentifier()) or ending not in FORMATS:
        raise CnnvizError(FOREIGN_SHEET)
    return [f"--{option}", output, "-o", str(spare / f"image{ending}"), "--quiet"]


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
        words += _words(param, declared[name], value, file)
    return words


def _words(param: click.Option, spec: Spec, value: Any, file: Path) -> list[str]:
    flag = max(param.opts, key=len)
    if value is None:
        return []
    if param.is_flag:
        return [flag] if value is True else []
    values = value if isinstance(value, list) and param.multiple else [value]
    if spec.file or any(isinstance(item, dict) for item in values):  # or a value that may be a file, and is one
        return [f"{flag}={_recorded_file(record, flag, file)}" for record in values]
    return [f"{flag}={','.join(map(str, item)) if isinstance(item, list) else item}" for item in values]


def _recorded_file(value: Any, flag: str, file: Path) -> Path:
    """Find the file that an option was given, beside the result or here, and check that it is the same."""
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
    here = versions(moving="av" in there)
    pairs = [(name, str(there.get(name))[:LONGEST], version) for name, version in here.items()]
    other = [f"{name} {then}, here {now}" for name, then, now in pairs if then != now]
    if other:
        Console().note(f"the bytes may differ: made with {'; '.join(other)}")
