"""Colours that can be read on their paper and told apart, and lengths that are whole pixels."""

import itertools

import numpy as np
import pytest

from cnnviz.figures.scale import rgb
from cnnviz.figures.style import CATEGORIES, DPI, NOTE, OTHERS, PANEL, SUBTITLE, THEMES, TITLE, WIDTH


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in np.array(rgb(colour)) / 255]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def contrast(one: str, other: str) -> float:
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_text_has_the_contrast_that_wcag_asks_for(theme):
    for colour in (theme.ink, theme.faint, theme.against, theme.support, theme.accent):
        assert contrast(colour, theme.paper) >= 4.5
    assert contrast(theme.ink, theme.paper) > contrast(theme.faint, theme.paper) > contrast(theme.rule, theme.paper)


def test_categories_differ_from_each_other_and_from_the_rest():
    for one, other in itertools.combinations([*CATEGORIES, OTHERS], 2):
        assert np.abs(np.subtract(rgb(one), rgb(other))).max() >= 50


def test_a_figure_is_1920_pixels_wide_and_nothing_is_smaller_than_a_note():
    assert WIDTH * DPI == 1920
    assert min(TITLE, SUBTITLE, PANEL, NOTE) == NOTE
