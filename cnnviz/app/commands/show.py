"""``cnnviz show``: the recipe inside a file, and the same file made again from it."""

import json
import os
from pathlib import Path
from typing import Any

import click

from cnnviz.app.console import Console
from cnnviz.app.session import FILES, NAME_KEY, NOISE, SHEETS, SILENT, versions
from cnnviz.errors import CnnvizError, printable

FROM_NOISE = ("dream",)  # commands whose input can be the word noise
LONG = 60  # letters of a recipe's own words that a message repeats


@click.command()
@click.argument("file", type=click.Path())
@click.option("--rerun", is_flag=True, help="Make the file again by its recipe.")
@click.option(
    "--input",
    "photo",
    type=click.Path(),
    metavar="PHOTO",
    help="The photo that the recipe was made from. [default: looked for beside FILE and here]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(allow_dash=True),
    metavar="FILE|-",
    help="Where the file made again goes: with --rerun.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that cnnviz did not write.")
@click.pass_context
def show(context: click.Context, file: str, rerun: bool, photo: str | None, output: str | None,
         overwrite: bool) -> None:  # fmt: skip
    """Print the recipe inside FILE, as JSON: what made it, from what, with which numbers.

    With --rerun the same command runs again on the same photo, which must have the recorded sha256; on the same
    machine and versions this gives the same bytes.

    \b
    Examples:
      cnnviz show cat-occlude.png
      cnnviz show --rerun cat-occlude.png --input cat.jpg -o again.png
    """
    from cnnviz.io.recipe import read_required

    recipe = read_required(Path(file))
    if not rerun:
        if photo or output:
            raise click.UsageError("--input and -o go with --rerun")
        click.echo(_printable(json.dumps(recipe, indent=2, ensure_ascii=False)))
        return
    if output is None:
        raise click.UsageError("--rerun needs -o: where the file made again goes")
    _check(recipe)
    import tempfile

    with tempfile.TemporaryDirectory() as spare:
        where = _where(Path(file), recipe, output, Path(spare))
        _rerun(context, Path(file), recipe, photo, where + ["--overwrite"] * overwrite)


def _where(file: Path, recipe: dict[str, Any], output: str, spare: Path) -> list[str]:
    """Return the words that say where the file made again goes.

    Arrays and sheets come beside a picture, which nobody asked for here: it goes to ``spare``.
    """
    if file.suffix.lower() == ".npz":
        return ["--raw", output, "-o", str(spare / "picture.png"), "--quiet"]
    if (sheet := recipe.get("sheet")) is None:
        return ["-o", output]
    from cnnviz.io.write import FORMATS

    kind = sheet if isinstance(sheet, dict) else {}
    option, ending = kind.get("option"), str(kind.get("picture") or ".png")
    if option not in SHEETS or ending not in FORMATS:
        raise CnnvizError("the recipe is not whole: it is of a sheet that no cnnviz has drawn")
    return [f"--{option}", output, "-o", str(spare / f"picture{ending}"), "--quiet"]


def _printable(text: str) -> str:
    """Return JSON whose strings can do nothing to a terminal: what does not print is escaped, letters stay."""
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def _check(recipe: dict[str, Any]) -> None:
    """Refuse a recipe that no cnnviz has written: anybody can put one into a picture."""
    source, options = recipe.get("input"), recipe.get("options")
    named = isinstance(source, dict) and all(isinstance(source.get(key), str) for key in ("name", "sha256"))
    alone = "input" in recipe and source is None  # of a network, without a photo
    if not (named or alone) or not isinstance(options, dict):
        raise CnnvizError("the recipe is not whole: it lacks its options or its input")


def _rerun(context: click.Context, file: Path, recipe: dict[str, Any], photo: str | None, where: list[str]) -> None:
    done = [key for key in ("positions_done", "frames_done", "steps_done") if key in recipe.get("numbers", {})]
    if done:  # where it stopped cannot be met again
        how = "the same command with --resume goes on" if done[0] != "steps_done" else "run the command again"
        raise CnnvizError(f"{printable(str(file))}: was stopped before its end; {how}")
    root = context.find_root()
    group = root.command
    assert isinstance(group, click.Group)
    command = group.get_command(root, recipe["command"])
    if command is None or command.name == "show" or all(param.name != "output" for param in command.params):
        raise click.UsageError(f"this cnnviz has no command {recipe['command'][:LONG]!r} that writes a file")
    options, subject = _subject(command, file, recipe, photo)
    arguments = [*_arguments(command, options, file), *where, *(["--", subject] if subject else [])]
    with command.make_context(command.name, arguments, parent=root) as again:
        if recipe["input"]:
            again.meta[NAME_KEY] = recipe["input"]["name"]
        try:
            command.invoke(again)
        except click.exceptions.Exit as leave:
            if leave.exit_code == 0:
                _note_versions(recipe.get("versions"))
            raise


def _subject(
    command: click.Command, file: Path, recipe: dict[str, Any], photo: str | None
) -> tuple[dict[str, Any], str]:
    """Return the recorded options, and what the command is about: a photo, a network or nothing."""
    source, options = recipe["input"], dict(recipe["options"])
    taken = {param.name for param in command.params if isinstance(param, click.Argument)}
    if source is None and "model" in taken and "model" in options:
        if photo:
            raise click.UsageError(f"--input: {command.name} takes no photo")
        return options, str(options.pop("model"))
    if source is None and command.name in FROM_NOISE:
        return options, NOISE
    if source is None and not taken:
        return options, ""
    if source and "photos" in source:
        raise CnnvizError(
            f"{printable(str(file))}: is made of a folder, {source['name']}; the same command makes it again"
        )
    if source is None or "inputs" not in taken:
        raise CnnvizError("the recipe is not whole: it lacks its options or its input")
    wanted = Path(photo) if photo else _beside(file, source["name"], "the photo", "name it with --input")
    _same(wanted, source["sha256"])
    return options, str(wanted)


def _arguments(command: click.Command, options: dict[str, Any], file: Path) -> list[str]:
    """Return the recorded options as words of a command line; those that this version lacks are refused."""
    known = {p.name: p for p in command.params if isinstance(p, click.Option) and p.name not in SILENT}
    words: list[str] = []
    for name, value in options.items():
        if name not in known:
            raise click.UsageError(f"this cnnviz has no option {name[:LONG]!r} that the recipe was made with")
        words += _words(known[name], value, file)
    return words


def _words(option: click.Option, value: Any, file: Path) -> list[str]:
    flag = max(option.opts, key=len)
    if value is None:
        return []
    if option.is_flag:
        return [flag] if value is True else []
    if option.name in FILES or isinstance(value, dict):
        records = value if isinstance(value, list) and option.multiple else [value]
        return [f"{flag}={_recorded_file(record, flag, file)}" for record in records]
    values = value if isinstance(value, list) and option.multiple else [value]
    return [f"{flag}={','.join(map(str, item)) if isinstance(item, list) else item}" for item in values]


def _recorded_file(value: Any, flag: str, file: Path) -> Path:
    """Find the file that an option was given, beside the result or here, and see that it is the same."""
    record = value if isinstance(value, dict) else {}
    path = _beside(file, str(record.get("file")), f"the file of {flag}", "put it there")
    _same(path, record.get("sha256"))
    return path


def _beside(file: Path, name: str, what: str, hint: str) -> Path:
    """Find a recorded file by its base name, beside the result or in the current folder."""
    for folder in (file.parent, Path()):
        if os.path.isfile(found := folder / Path(name).name):
            return found
    raise CnnvizError(f"{printable(str(file))}: {what}, {printable(name)}, is neither beside it nor here; {hint}")


def _same(path: Path, sha256: Any) -> None:
    from cnnviz.models import weights

    if not os.path.isfile(path):
        raise CnnvizError(f"{printable(str(path))}: {'is not a file' if os.path.exists(path) else 'no such file'}")
    if weights.sha256(path) != sha256:
        raise CnnvizError(f"{printable(str(path))}: is not the file that the recipe was made with (another sha256)")


def _note_versions(recorded: Any) -> None:
    """Say which versions are other ones here: then the bytes may be others too."""
    there = recorded if isinstance(recorded, dict) else {}
    here = versions(moving="av" in there)
    pairs = [(name, str(there.get(name))[:LONG], version) for name, version in here.items()]
    other = [f"{name} {then}, here {now}" for name, then, now in pairs if then != now]
    if other:
        Console().note(f"the bytes may differ: made with {'; '.join(other)}")
