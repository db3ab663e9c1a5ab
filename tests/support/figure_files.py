"""The files of a command's figure: size, resolution and theme of a PNG; PDF and SVG with a recipe that is run again."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from cnnviz.cli import invoke
from cnnviz.figures.style import THEMES
from cnnviz.io.recipe import read_recipe

STARTS = {".pdf": b"%PDF-", ".svg": b"<?xml"}


def check_figure_files(words: Sequence[str], option: str = "-o", rerun: bool = True) -> None:
    """Make a command's figure in every kind of file; ``option`` says where it goes. In the current folder."""

    def make(name: str, *more: str) -> Path:
        assert invoke([*words, *more, option, name, "-q"]) == 0
        return Path(name)

    for scale, theme in ((1, "light"), (2, "dark")):
        with Image.open(make(f"{theme}.png", "--scale", str(scale), "--theme", theme)) as image:
            assert image.width == 1920 * scale
            assert [round(value) for value in image.info["dpi"]] == [200 * scale] * 2
            assert "#{:02x}{:02x}{:02x}".format(*image.getpixel((0, 0))) == THEMES[theme].paper
    for ending, start in STARTS.items():
        path = make(f"figure{ending}")
        assert path.read_bytes().startswith(start)
        recipe = read_recipe(path)
        assert recipe is not None
        assert recipe["command"] == words[0]
        if rerun:
            assert invoke(["show", "--rerun", str(path), "-o", f"again{ending}"]) == 0
            assert Path(f"again{ending}").read_bytes() == path.read_bytes()
