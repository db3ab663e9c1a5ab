"""What results have in common: fields that do not count, and a picture that is drawn by name."""

from dataclasses import dataclass

import torch

from cnnviz.models.result import InputResult


@dataclass(frozen=True)
class Made(InputResult):
    value: int


def test_network_and_inputs_are_keywords_that_are_neither_printed_nor_compared():
    made = Made(3, inputs=torch.zeros(1, 3, 2, 2))
    assert repr(made) == "Made(value=3)"
    assert made == Made(3)


def test_a_class_without_a_figure_shows_nothing():
    assert Made(3)._repr_png_() is None
