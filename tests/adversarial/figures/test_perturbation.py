"""The report of an attack: what happened, what is missed, what weakens the result."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from cnnviz.adversarial.figures.perturbation import ReportFacts, draw_perturbation
from cnnviz.figures.output import render
from cnnviz.figures.style import THEMES, WIDTH, Look
from cnnviz.models.catalog import ClassProbability
from tests.support.attacks import CLEAN, FILE
from tests.support.figures import words

FACTS = ReportFacts("efficientnet_lite0", CLEAN, FILE)
PHOTO = np.full((120, 180, 3), 90, np.uint8)


def draw(before: np.ndarray = PHOTO, after: np.ndarray | None = None, missed: tuple[str, ...] = (), **other) -> Figure:
    own = {key: other.pop(key) for key in ("warnings", "held_out", "goal_name") if key in other}
    own |= {"goal": own.pop("goal_name")} if "goal_name" in own else {}
    facts = replace(FACTS, verification=replace(FILE, **other), **own)
    return draw_perturbation(before, before if after is None else after, facts, missed)


def test_the_photo_plus_the_change_equals_the_result():
    written = words(draw())
    assert written[0] == "A change of at most 1 level of 255 turns “class 1” into “cup”"
    assert written[1] == (
        "EfficientNet-Lite0. Changed: 25.0 % of the values, at most 1 level of 255 per value; PSNR 50.0 dB. "
        "Bars: probability."
    )
    assert {"Photo", "Change, ×127", "Result", "+", "="} <= set(written)


@pytest.mark.parametrize(
    ("other", "title"),
    [
        ({"levels": 3}, "A change of at most 3 levels of 255 turns “class 1” into “cup”"),
        ({"l0": 24, "changed": round(24 / 64800, 6)}, "Changing 24 of 64,800 values turns “class 1” into “cup”"),
        ({"l0": 24, "changed": round(24 / 21600, 6)}, "Changing 24 of 21,600 values turns “class 1” into “cup”"),
        ({"top": CLEAN, "fooled": False}, "“class 1” is still predicted after a change of at most 1 level of 255"),
        ({"top": CLEAN, "l0": 0, "levels": 0}, "“class 1”: no value is changed"),
        ({"fooled": False, "goal": 7, "goal_name": "tray"},
         "A change of at most 1 level of 255 does not turn “class 1” into “tray”"),
    ],
)  # fmt: skip
def test_the_title_says_what_happened(other, title):
    assert words(draw(**other))[0] == title


@pytest.mark.parametrize(
    ("other", "note"),
    [
        ({"warnings": ["zero_gradients"]}, "Warning: zero gradients."),
        ({"control": True}, "random noise of the same size has the same effect."),
        ({"held_out": True}, "This photo was not used in the search."),
        ({"missed": ("not fooled", "not after jpeg75")}, "Missed: not fooled, not after jpeg75."),
    ],
)
def test_what_is_to_be_known_is_in_the_note(other, note):
    assert note not in " ".join(words(draw()))
    assert note in " ".join(words(draw(**other)))
    assert ("Best attempt" in words(draw(**other))) == ("missed" in other)


@pytest.mark.parametrize(
    ("missed", "title"),
    [
        (("not after jpeg75",), "Requirement missed: “class 1” becomes “cup”"),
        (("by 0.3 logits only", "not resnet50"), "Requirements missed: “class 1” becomes “cup”"),
    ],
)  # fmt: skip
def test_a_file_that_fools_and_misses_another_requirement_is_no_success(missed, title):
    assert words(draw(missed=missed))[0] == title


def test_names_without_glyphs_and_long_names_do_not_break_the_title():
    top = [ClassProbability(7, "猫", 0.8), ClassProbability(8, "x" * 200, 0.1)]
    assert words(draw(top=top))[0].endswith("into “class 7”")
    assert "…" in words(draw(top=top[::-1]))[0]


@pytest.mark.parametrize("shape", [(1, 1, 3), (900, 150, 3), (150, 900, 3), (20, 30, 3)])
def test_strips_and_single_pixels_have_a_width_and_a_theme(shape):
    figure = draw_perturbation(np.full(shape, 9, np.uint8), np.full(shape, 9, np.uint8), FACTS, (), Look("dark"))
    drawn = render(figure)
    assert drawn.shape[1] == WIDTH * 200
    assert "#{:02x}{:02x}{:02x}".format(*drawn[0, 0]) == THEMES["dark"].paper
