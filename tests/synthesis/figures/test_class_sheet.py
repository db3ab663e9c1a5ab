"""The sheet of classes: one tile each, its name and probability, and whose probability that is."""

import torch

from cnnviz.figures.style import Look
from cnnviz.synthesis.figures.class_sheet import draw_classes
from cnnviz.synthesis.held_out import HeldOutRank
from cnnviz.synthesis.inceptionism import ClassVisualization
from tests.support.figures import patches, words


def results(*colours: float, done: int = 1) -> list[ClassVisualization]:
    return [
        ClassVisualization(torch.full((1, 3, 64, 64), c), n, torch.zeros(len(colours)), torch.zeros(1), done, 1)
        for n, c in enumerate(colours)
    ]


def test_a_sheet_shows_every_image_with_name_and_probability():
    figure = draw_classes(results(0.2, 0.8), ["banana", "猫"], "resnet50")
    assert patches(figure) == [(51,) * 3, (204,) * 3]
    written = words(figure)
    assert {"banana", "class 1"} <= set(written)
    assert written.count("50 %") == 2
    assert "judged by the network itself" in written[1]
    assert len(written) == 6


def test_a_held_out_network_gives_its_own_probabilities():
    ranks = [HeldOutRank("efficientnet_lite1", 1, 0.25, []), HeldOutRank("efficientnet_lite1", 2, 0.125, [])]
    written = words(draw_classes(results(0.2, 0.8), ["a", "b"], "resnet50", Look("dark"), ranks))
    assert {"25 %", "12 %"} <= set(written)
    assert "probability by EfficientNet-Lite1, a held-out network" in " ".join(written)
    assert "EfficientNet-Lite1 predicts the right class for 1 of 2 images." in written


def test_a_long_name_leaves_room_for_the_probability():
    written = words(draw_classes(results(*[0.5] * 14), ["x" * 120] * 14, "resnet50"))
    assert written.count("7 %") == 14
    assert sum(word.startswith("xx") and word.endswith("…") for word in written) == 14


def test_a_stopped_run_says_so():
    assert "Partial result: 0 of 2 steps." in words(draw_classes(results(0.2, 0.8, done=0), ["a", "b"], "resnet50"))
