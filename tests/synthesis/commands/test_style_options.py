"""The options of style: what does not fit is refused before anything is loaded."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnviz import StyleSettings
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.synthesis.commands.style_options import Options, layer_weights
from cnnviz.synthesis.style_patches import PatchSettings


def options(**changes) -> Options:
    values = {item.name: item.default for item in fields(Options) if "option" in item.metadata}
    return Options(inputs=("cat.jpg",), **(values | {"style": ("a.png",)} | changes))


def test_the_defaults_are_those_of_the_function():
    assert options().settings == StyleSettings()


def test_layers_have_weights():
    settings = options(style_layers=("pixels=0.5", "bn1"), content_layers=("blocks.3=2",)).settings
    assert settings.style_layers == {"pixels": 0.5, "bn1": 1.0}
    assert settings.content_layers == {"blocks.3": 2.0}
    assert [item.weight for item in layer_weights(settings.style_layers)] == [0.5, 1.0]


def test_patches_are_those_of_the_options():
    patches = options(method="mrf", patch_size=5, patch_stride=8, rotations=(15.0,), scales=(0.9, 1.1)).settings.patches
    assert patches == PatchSettings(5, 8, (15.0,), (0.9, 1.1))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"style_weight": (1.0, 2.0)}, "--style-weight is given 2 times, --style 1 times"),
        ({"style_mask": ("a", "b")}, "--style-mask is given 2 times"),
        ({"style_weight": (0.0,)}, "0 for all styles"),
        ({"style_layers": ("bn1=-1",)}, "layer bn1 has a negative weight"),
        ({"both_ways": True, "style": ("a", "b")}, "--both-ways takes one --style"),
        ({"rotations": (20.0,)}, "for --method mrf"),
        ({"save_every": 2, "output": "-"}, "--save-every writes files"),
    ],
)
def test_what_does_not_fit_is_refused(changes, words):
    with pytest.raises(InvalidRequest, match=words):
        options(**changes)


def test_styles_and_masks_are_read(tmp_path: Path):
    path, broken = tmp_path / "a.png", tmp_path / "b.png"
    Image.fromarray(np.full((4, 5), 200, np.uint8)).save(path)
    broken.write_bytes(b"nothing")
    assert options(style=(str(path),)).read_styles()[0].shape == (4, 5, 3)
    assert options(style_mask=(str(path),)).read_masks((4, 5))[0][0, 0] == 200
    with pytest.raises(MethodError, match=r"b\.png: "):
        options(style=(str(broken),)).read_styles()
    with pytest.raises(MethodError, match="does not fit"):
        options(style_mask=(str(path),)).read_masks((5, 4))
