"""The options of dream: the objective is parsed once, and what does not fit is refused before anything is loaded."""

from dataclasses import fields

import pytest
from PIL import Image

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.synthesis.commands.dream_options import Options, check_clip_options
from cnnviz.synthesis.spec import ObjectiveSpec


def options(**changes) -> Options:
    values = {item.name: item.default for item in fields(Options) if "option" in item.metadata}
    return Options(inputs=("cat.jpg",), **(values | changes))


def test_the_objective_is_parsed_from_the_options():
    assert options().objective == ObjectiveSpec({"blocks.4": 1.0})
    given = options(layer=("a=0.5", "b"), channel=("c:3",), targets=("tabby=2",), caricature=True)
    assert given.objective == ObjectiveSpec({"a": 0.5, "b": 1.0}, {("c", 3): 1.0}, {"tabby": 2.0}, caricature=True)
    assert options(layer_sequence=("a", "b")).objective == ObjectiveSpec({"a": 1.0, "b": 1.0})
    assert given.objective is given.objective


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channel": ("x",)}, "--channel x: is neither a number"),
        ({"channel": ("5",), "caricature": True}, "--guide and --caricature go with a --layer"),
        ({"model": "vit_b_16"}, "Missing option '--layer'"),
        ({"save_every": 2, "output": "-"}, "--save-every writes files"),
    ],
)
def test_what_does_not_fit_is_refused(changes, words):
    with pytest.raises(InvalidRequest, match=words):
        options(**changes)


@pytest.mark.parametrize(
    ("changes", "moving", "clips", "words"),
    [
        ({"layer_sequence": ("a", "b")}, [], [], "--layer-sequence goes with a clip or with --zoom"),
        ({"mask": "m.png"}, ["a.mp4"], ["a.mp4"], "--mask goes with photos only"),
        ({"compute_size": "full"}, ["a.mp4"], ["a.mp4"], "--compute-size goes with photos only"),
        ({"zoom": 3}, ["a.mp4"], ["a.mp4"], "--zoom goes with photos, and a.mp4 is a clip"),
        ({"frame": 1}, ["a.mp4"], ["a.mp4"], "--frame goes with photos, and a.mp4 is a clip"),
    ],
)
def test_options_that_do_not_fit_a_clip_are_refused(changes, moving, clips, words):
    with pytest.raises(InvalidRequest, match=words):
        check_clip_options(options(**changes), moving, clips)


def test_guides_are_images_of_the_objective(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("L", (60, 40), 255).save("white.png")
    Image.new("L", (40, 40), 255).save("square.png")
    spec = options(guide=("white.png", "square.png")).objective_with_guides()
    assert [guide.shape for guide in spec.guides] == [(40, 60, 3), (40, 40, 3)]
    with pytest.raises(MethodError, match=r"missing.png: no such file"):
        options(guide=("missing.png",)).objective_with_guides()
