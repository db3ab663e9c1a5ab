"""Figures as PDF and SVG: the same bytes every time, text as text, fonts and recipe inside."""

import base64
import json
import os
import re
import subprocess
import sys
import zlib
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from cnnviz.figures.output import pdf, png, render, svg
from cnnviz.figures.page import Page
from cnnviz.figures.style import THEMES, Look, own_settings
from cnnviz.io.recipe import NAMESPACE

RECIPE = {"command": "occlude", "recipe": 1, "inputs": ["Käfer & <1>.jpg"]}
TITLE, SUBTITLE = "“espresso” − depends × on", "Größe 95.7 %"
SVG = "{http://www.w3.org/2000/svg}"
MADE = """
import hashlib
from tests.figures.test_output import RECIPE, figure, pdf, svg
print(*(hashlib.sha256(write(figure(), RECIPE)).hexdigest() for write in (pdf, svg)))
"""


def figure() -> Figure:
    page = Page()
    page.heading(TITLE, SUBTITLE)
    (box,) = page.row([2.0], ["Photo"], height=1.0)
    page.picture(box, np.full((4, 8, 3), 90, np.uint8))
    return page.finish()


def pdf_text(data: bytes) -> str:
    """The text of a PDF file, as a reader that copies it sees it."""
    objects = dict(re.findall(rb"(\d+) 0 obj\n(.*?)\nendobj", data, re.DOTALL))
    streams = {
        key: zlib.decompress(found[1])
        for key, body in objects.items()
        if b"FlateDecode" in body and (found := re.search(rb"stream\r?\n(.*)\r?\nendstream", body, re.DOTALL))
    }
    tables = {}
    for name, key in re.findall(rb"/(F\d+) (\d+) 0 R", data):
        cmap = streams[re.search(rb"/ToUnicode (\d+) 0 R", objects[key])[1]]
        ranges = re.findall(rb"<(\w{4})> <\w{4}> \[(.*?)\]", cmap)
        tables[name] = {
            int(first, 16) + place: chr(int(code, 16))
            for first, codes in ranges
            for place, code in enumerate(re.findall(rb"<(\w+)>", codes))
        }
    (page,) = (stream for stream in streams.values() if b"BT" in stream)
    words, table = "", {}
    for font, end, coded in re.findall(rb"/(F\d+) [\d.]+ Tf|(ET)|\(((?:\\.|[^\\)])*)\)", page, re.DOTALL):
        table = tables[font] if font else table
        plain = re.sub(rb"\\(.)", rb"\1", coded, flags=re.DOTALL)
        words += "\n" if end else "".join(table[high << 8 | low] for high, low in zip(*[iter(plain)] * 2, strict=True))
    return words


@pytest.mark.parametrize("write", [pdf, svg])
def test_the_same_figure_is_the_same_bytes(write):
    drawn = figure()
    assert write(drawn, RECIPE) == write(drawn, RECIPE) == write(figure(), RECIPE)


def test_another_process_writes_the_same_bytes():
    made = [
        subprocess.run([sys.executable, "-c", MADE], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True,
                       check=True).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert made[0] == made[1]


def test_text_in_a_pdf_can_be_copied_and_its_fonts_are_inside():
    data = pdf(figure(), RECIPE)
    lines = pdf_text(data).splitlines()
    assert {TITLE, SUBTITLE, "Photo", "a"} <= set(lines)
    assert set(re.findall(rb"/FontName /\w+\+(Inter-\w+)", data)) == {b"Inter-Regular", b"Inter-SemiBold"}
    assert data.count(b"/FontFile2") == data.count(b"/Type /FontDescriptor")
    assert b"/CreationDate" not in data


def test_text_in_an_svg_can_be_copied_and_its_fonts_are_inside():
    data = svg(figure(), RECIPE)
    root = ElementTree.fromstring(data)
    texts = {"".join(element.itertext()) for element in root.iter(f"{SVG}text")}
    assert {TITLE, SUBTITLE, "Photo", "a"} <= texts
    fonts = re.findall(rb"font-family:Inter;font-weight:(\d+);src:url\(data:font/ttf;base64,([^)]+)\)", data)
    assert [weight for weight, _ in fonts] == [b"400", b"600"]
    assert all(base64.b64decode(font)[:4] == b"\0\1\0\0" for _, font in fonts)
    assert not re.search(rb"<dc:date>", data)


def test_the_recipe_is_inside():
    (keywords,) = re.findall(rb"/Keywords \((.*?[^\\])\)", pdf(figure(), RECIPE), re.DOTALL)
    assert json.loads(re.sub(rb"\\([()\\])", rb"\1", keywords)) == RECIPE
    root = ElementTree.fromstring(svg(figure(), RECIPE))
    (element,) = root.iter(f"{{{NAMESPACE}}}recipe")
    assert json.loads(element.text) == RECIPE


def test_an_image_has_the_figures_size_and_paper():
    drawn = render(figure())
    assert drawn.dtype == np.uint8
    assert drawn.shape[1:] == (1920, 3)
    assert "#{:02x}{:02x}{:02x}".format(*drawn[0, 0]) == THEMES["light"].paper
    assert (drawn == 90).all(2).sum() == 200 * 400


def test_a_user_saves_what_is_drawn_whatever_the_settings(tmp_path):
    page = Page(Look("dark"))
    page.heading(TITLE)
    drawn = page.finish()
    with mpl.rc_context({"savefig.facecolor": "red", "savefig.bbox": "tight", "savefig.dpi": 50}):
        drawn.savefig(tmp_path / "own.png")
    with Image.open(tmp_path / "own.png") as image:
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), render(drawn))
    drawn.savefig(tmp_path / "asked.png", dpi=100, facecolor="red")
    with Image.open(tmp_path / "asked.png") as image:
        assert (image.width, image.getpixel((0, 0))) == (960, (255, 0, 0, 255))


def test_settings_of_the_user_change_no_byte_and_are_kept():
    @own_settings()
    def files() -> list[bytes]:
        page = Page()
        page.heading("A title with $signs$", "a subtitle")
        (box,) = page.row([2.0], ["Panel"], height=1.0)
        page.axes(box).plot([0, 1], [0, 1])
        figure = page.finish()
        return [png(figure), pdf(figure, RECIPE), svg(figure, RECIPE)]

    own = files()
    hostile = {
        "axes.facecolor": "red", "lines.linewidth": 9, "savefig.bbox": "tight", "savefig.dpi": 50, "font.size": 30,
        "text.usetex": True, "axes.prop_cycle": "cycler('color', ['red'])", "path.sketch": (5, 9, 2),
    }  # fmt: skip
    with mpl.rc_context(hostile):
        assert files() == own
        assert mpl.rcParams["lines.linewidth"] == 9
