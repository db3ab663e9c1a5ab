"""A matplotlib figure as an image, or as the bytes of a PDF or SVG file with its recipe."""

import base64
import io
from importlib import resources
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from cnnviz.figures.style import own_settings
from cnnviz.figures.text import FAMILY, WEIGHTS
from cnnviz.io.color import Photo
from cnnviz.io.recipe import Recipe, dump_recipe, recipe_element
from cnnviz.io.write import VECTOR_FORMATS, write_bytes, write_image


def render(figure: Figure) -> Photo:
    """Return a figure as an image, uint8 RGB (H, W, 3)."""
    canvas = FigureCanvasAgg(figure)
    with own_settings():
        canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(render(figure)).save(file, "PNG", dpi=(figure.dpi, figure.dpi))
    return file.getvalue()


def write_figure(path: str, figure: Figure, recipe: Recipe) -> None:
    """Write a figure with its recipe, by the ending of ``path``: PNG, JPEG, WebP, PDF or SVG."""
    ending = Path(path).suffix.lower()
    if ending in VECTOR_FORMATS:
        write_bytes(path, (pdf if ending == ".pdf" else svg)(figure, recipe))
    else:
        write_image(path, render(figure), recipe, round(figure.dpi))


def pdf(figure: Figure, recipe: Recipe) -> bytes:
    """Return a figure as a PDF file, with the recipe as its keywords."""
    file = io.BytesIO()
    with own_settings(pdf_fonttype=42):  # text stays text
        Figure.savefig(figure, file, format="pdf", metadata={"Creator": "cnnviz", "Keywords": dump_recipe(recipe),
                                                             "Producer": None, "CreationDate": None})  # fmt: skip
    return file.getvalue()


def svg(figure: Figure, recipe: Recipe) -> bytes:
    """Return a figure as an SVG file, with the fonts and, in its metadata element, the recipe."""
    file = io.StringIO()
    with own_settings(svg_fonttype="none", svg_hashsalt="cnnviz"):  # text stays text, ids stay the same
        Figure.savefig(figure, file, format="svg", metadata={"Creator": "cnnviz", "Date": None})
    faces = "".join(
        f"@font-face{{font-family:{FAMILY};font-weight:{weight};src:url(data:font/ttf;base64,"
        f"{base64.b64encode((resources.files('cnnviz') / 'data' / 'fonts' / name).read_bytes()).decode()})}}"
        for weight, name in WEIGHTS.items()
    )
    before, start, rest = file.getvalue().partition("<metadata>")
    metadata, end, after = rest.partition("</metadata>")
    return "".join([before, start, recipe_element(recipe), metadata, end, f"<style>{faces}</style>", after]).encode()
