"""The figure of any public result: its size and layout, the photo, what is refused, what is not imported."""

import dataclasses
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import cnnviz
from cnnviz.errors import InvalidRequest
from cnnviz.figures.output import render
from cnnviz.figures.style import THEMES
from cnnviz.io.write import write_image
from tests.support import results
from tests.support.layout import faults, texts

PNG = b"\x89PNG\r\n\x1a\n"


def loaded(code: str, *names: str) -> str:
    """Which of some modules are imported after the code has run in a process of its own."""
    code += f"\nimport sys; print(sorted(name for name in {names!r} if name in sys.modules))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("name", results.ALL)
def test_every_result_has_a_figure_of_1920_pixels_and_shows_it_in_a_notebook(name):
    result = results.ALL[name]()
    figure = cnnviz.figure(result)
    assert type(result).__name__ == name
    assert isinstance(figure, Figure)
    assert figure.canvas.get_width_height()[0] == 1920
    assert faults(figure) == []
    assert result._repr_png_().startswith(PNG)


def test_every_public_result_with_a_figure_is_tested_and_the_others_show_nothing():
    made = {name for name in cnnviz.__all__ if dataclasses.is_dataclass(getattr(cnnviz, name))}
    shown = {name for name in made if hasattr(getattr(cnnviz, name), "_repr_png_")}
    assert shown == set(results.ALL)
    assert made - shown >= {"DreamResult", "UniversalPerturbation"}


def test_figures_show_themselves_too():
    assert cnnviz.figure(results.kernels())._repr_png_().startswith(PNG)


def test_networks_and_inputs_are_neither_printed_nor_compared():
    found = results.kernels()
    assert found.network is results.network()
    assert "network" not in repr(found)
    assert dataclasses.replace(found, network=None) == found


def test_theme_and_scale():
    light, dark = (render(cnnviz.figure(results.robustness(), theme=theme)) for theme in ("light", "dark"))
    assert light.shape == dark.shape
    assert tuple(dark[2, 2]) == tuple(int(THEMES["dark"].paper[i : i + 2], 16) for i in (1, 3, 5))
    assert render(cnnviz.figure(results.robustness(), scale=2)).shape[1] == 3840


def test_a_photo_is_drawn_in_full_and_as_a_file_alike(tmp_path):
    result, photo = results.occlusion("wide"), results.photo("wide")
    write_image(str(tmp_path / "wide.png"), photo, {})
    alone, whole, file = (cnnviz.figure(result, photo=given) for given in (None, photo, tmp_path / "wide.png"))
    assert "Photo" in texts(alone)
    assert "Photo, input framed" in texts(whole)
    np.testing.assert_array_equal(render(whole), render(file))


@pytest.mark.parametrize("mode", ["crop", "squash", "pad", "whole"])
def test_the_photo_s_fit_is_found(mode):
    _, geometry = results.inputs("wide", mode)
    result = results.occlusion("wide", 1, mode)
    from cnnviz.figures.style import Look
    from cnnviz.report.figure import Request

    assert Request(results.photo("wide"), Look()).ground(result)[1] == geometry


@pytest.mark.parametrize(
    ("result", "more", "words"),
    [
        (lambda: results.occlusion("wide"), {"photo": results.photo("tall")}, "not of this photo"),
        (lambda: dataclasses.replace(results.kernels(), network=None), {}, "does not hold the network"),
        (lambda: dataclasses.replace(results.occlusion("grey"), inputs=None), {}, "holds no input"),
        (lambda: dataclasses.replace(results.projections("grey")[0], inputs=None), {}, "holds no input"),
        (lambda: [results.kernels(), results.kernels()], {}, "one at a time"),
        (lambda: [results.kernels(), results.robustness()], {}, "of one kind"),
        (lambda: [], {}, "give one result"),
        (lambda: "kernels", {}, "str has no figure"),
        (results.kernels, {"theme": "sepia"}, "light, dark"),
        (results.kernels, {"scale": 4}, "1, 2 or 3"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused_in_one_line(result: Any, more: dict, words: str):
    with pytest.raises(InvalidRequest, match=words) as caught:
        cnnviz.figure(result(), **more)
    assert "\n" not in str(caught.value)


def test_a_result_without_a_network_shows_its_text_in_a_notebook():
    assert dataclasses.replace(results.kernels(), network=None)._repr_png_() is None


def test_nothing_is_imported_before_it_is_used():
    heavy = "torch", "matplotlib", "numpy", "cnnviz.report.figure"
    assert loaded("import cnnviz", *heavy) == "[]"
    code = "import cnnviz; cnnviz.Occlusion, cnnviz.Evaluation, cnnviz.TopImages, cnnviz.RobustnessCurve"
    assert loaded(code, "matplotlib", "cnnviz.figures.page", "cnnviz.report") == "[]"
    assert loaded("import cnnviz; cnnviz.figure", "matplotlib.pyplot", "cnnviz.report.features") == "[]"
