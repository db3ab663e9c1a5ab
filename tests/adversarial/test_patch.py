"""Patches as printed: their colours, controls and rates; one call from a photo."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from cnnviz.adversarial import patch as module
from cnnviz.adversarial.figures.patch import POSES, draw_preview
from cnnviz.adversarial.patch import evaluate_prints, patch, preview, render_prints
from cnnviz.adversarial.patch_scene import mask_placement
from cnnviz.control import Control
from tests.support.patches import color_network, color_scene

RED, GREEN, BLUE = range(3)


@pytest.fixture(autouse=True)
def few_poses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_OUT_POSES", 7)


def covered():
    """The scene with the patch all over the photo."""
    return replace(color_scene(), placement=mask_placement(np.full((100, 140), 255, np.uint8)))


def test_a_print_has_the_textures_colours_and_so_have_its_controls():
    texture = torch.tensor([0.2, 0.4, 0.8]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    prints = render_prints(covered(), texture, 20.0, 0)
    assert (prints["sticker"] == [51, 102, 204]).all()
    assert (prints["grey"] == 128).all()
    assert prints["noise"].std() > 20


def test_rates_are_of_the_goal_and_of_the_photos_own_class():
    colors = {"sticker": (0, 255, 0), "grey": (128, 128, 128), "noise": (0, 0, 255)}
    prints = {name: np.full((50, 60, 3), color, np.uint8) for name, color in colors.items()}
    rates = evaluate_prints(covered(), prints, RED, 0)
    numbers = {name: (row.success_rate, row.misclassified_rate) for name, row in rates.items()}
    assert (numbers["sticker"], numbers["noise"], numbers["clean"]) == ((1, 1), (0, 1), (0, 0))
    assert rates["sticker"].top[0].name == "green"


def test_one_call_makes_a_patch_and_its_file():
    scene, reports = color_scene(), []
    result = patch(
        color_network(), scene.photo, "20,10 120,10 120,90 20,90", "green", steps=40, print_size=25.4,
        control=Control(lambda *words: reports.append(words[1])),
    )  # fmt: skip
    assert (result.target, result.scene.goal, result.poses) == (RED, GREEN, 7)
    assert result.success_rate == 1 > result.controls["grey"].success_rate
    assert result.image.shape == (240, 300, 3)
    assert result.print_size == (25.4, 20.3)
    assert result.queries.as_dict() == {"forward": 40, "backward": 40}
    assert set(reports) == {40, 4}
    with Image.open(io.BytesIO(result.encode({"a": "recipe"}))) as image:
        assert [round(value) for value in image.info["dpi"]] == [300, 300]
        assert np.array_equal(np.asarray(image), result.image)
    again = patch(color_network(), scene.photo, "20,10 120,10 120,90 20,90", "green", steps=40, print_size=25.4)
    assert np.array_equal(again.image, result.image)
    views = preview(result, 0, 3)
    assert {name: len(row) for name, row in views.items()} == {"sticker": 4, "grey": 4, "noise": 4, "clean": 4}
    assert views["sticker"][0].name == "green"
    assert len(draw_preview(result).axes) == 4 * (POSES + 1)
