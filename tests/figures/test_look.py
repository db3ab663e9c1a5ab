"""``--theme`` and ``--scale`` are refused where no figure is drawn, by every command that has them."""

from pathlib import Path

import pytest

from cnnviz.app.discovery import entries
from cnnviz.app.options import FigureOptions
from cnnviz.cli import invoke
from tests.support.patches import color_network

REGION = ("--region", "1,1 9,1 9,9", "--target-class", "green")
FILE = "--figure, several classes in one file, or a .pdf or .svg file"
# Of each command the words with which it draws no figure, and what a message says; None: it always draws one.
WITHOUT: dict[str, list[tuple[list[str], str]] | None] = {
    "activations": None,
    "adversarial": [(["cat.jpg"], "{} requires --report")],
    "attribute": [(["cat.jpg", "--bare"], "--bare and {} exclude each other")],
    "crop": None,
    "deconv": [(["cat.jpg", "--layer", "0", "--bare"], "--bare and {} exclude each other")],
    "depth": [(["cat.jpg", "--model", "folder", "--depth-map"], "--depth-map and {} exclude each other")],
    "colorize": [(["cat.jpg", "--bare"], "--bare and {} exclude each other")],
    "evaluate": None,
    "heat": [(["cat.jpg", "--bare"], "--bare and {} exclude each other")],
    "inceptionism": [
        (["--class", "green"], "{} requires " + FILE),
        (["--class", "green", "--class", "1", "-o", "one.png"], "{} requires " + FILE),  # it is green
        (["--class", "all", "-o", "folder/"], "{} requires " + FILE),
        (["--random", "1"], "{} requires " + FILE),
    ],
    "kernels": None,
    "occlude": [(["cat.jpg", "--bare"], "--bare and {} exclude each other")],
    "rank": None,
    "robustness": None,
    "segment": [
        (["cat.jpg", "--mask"], "--mask and {} exclude each other"),
        (["cat.jpg", "--cutout"], "--cutout and {} exclude each other"),
    ],
    "sticker": [(["cat.jpg", *REGION], "{} requires --preview")],
    "style": [(["cat.jpg", "--style", "cat.jpg"], "{} requires --both-ways")],
    "thumbnail": None,
    "top-images": None,
    "universal": [(["cat.jpg", "cat.jpg"], "{} requires --report")],
    "visualize": [(["--layer", "0", "--bare"], "--bare and {} exclude each other")],
}
CASES = [(name, *case) for name, cases in WITHOUT.items() for case in cases or ()]


def test_every_command_with_a_theme_is_in_the_table() -> None:
    own = [name for name, entry in entries().items() if issubclass(entry.load().options, FigureOptions)]
    assert sorted(own) == sorted(WITHOUT)


@pytest.mark.parametrize(("name", "words", "said"), CASES)
def test_a_look_without_a_figure_is_wrong_usage(name, words, said, photo, commanded, capsys, monkeypatch) -> None:
    monkeypatch.chdir(photo.parent)
    commanded(color_network())
    before = sorted(Path().iterdir())
    for flag, value in (("--theme", "dark"), ("--scale", "2")):
        assert invoke([name, *words, flag, value]) == 2
        assert capsys.readouterr().err == f"cnnviz: {said.format(flag)} (see cnnviz {name} --help)\n"
    assert sorted(Path().iterdir()) == before
