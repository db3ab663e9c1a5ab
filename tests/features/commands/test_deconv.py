"""``cnnviz deconv`` from a command line to files on disk."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from cnnviz import fit, read_photo
from cnnviz.features.commands import deconv as command
from cnnviz.features.deconvnet import deconvnet
from cnnviz.graph.receptive_field import layer_table
from cnnviz.io.recipe import read_recipe
from tests.support.lines import checked_lines
from tests.support.networks import lite0

LAYER = "blocks.2"


def test_a_photo_gives_its_strongest_maps_with_exact_boxes(run, photo):
    done = run("deconv", photo, "--layer", LAYER, "--top", "3", "--method", "deconvnet", "-o", "a.png",
               "--raw", "a.npz", "--json")  # fmt: skip
    assert done.status == 0, done.errors
    assert any("no max pools before blocks.2" in line for line in done.errors)
    [line] = checked_lines(done.stdout.decode(), command.deconv)
    arrays = np.load(photo.with_name("a.npz"))
    network = lite0()
    x, _ = fit(read_photo(photo), network)
    layer = next(one for one in layer_table(network.module, (224, 224)) if one.name == LAYER)
    activations = [unit["activation"] for unit in line["units"]]
    assert activations == sorted(activations, reverse=True)
    assert (line["method"], arrays["layers"].tolist()) == ("deconvnet", [LAYER] * 3)
    for unit, projection in zip(line["units"], arrays["projections"], strict=True):
        found = deconvnet(network, x, layer=LAYER, channel=unit["channel"], method="deconvnet")
        assert (unit["position"], unit["class_name"]) == (list(found.position), None)
        assert unit["box"] == list(layer.box(found.position, (224, 224)))
        assert not unit["effective"]
        assert unit["activation"] == pytest.approx(found.activation, rel=1e-4)
        assert np.abs(projection - found.projection[0].numpy()).max() < 1e-3 * np.abs(projection).max()
    shown = json.loads(run("show", "a.png").stdout)
    assert shown["numbers"]["units"] == line["units"]
    again = run("show", "--rerun", "a.png", "-o", "b.png")
    assert again.status == 0, again.errors
    assert photo.with_name("a.png").read_bytes() == photo.with_name("b.png").read_bytes()


def test_where_the_field_is_most_of_the_photo_the_effective_one_is_shown(run, photo):
    for words in (["--layer", "blocks.6"], ["--layer", LAYER, "--receptive-field", "effective"]):
        done = run("deconv", photo, *words, "--method", "guided", "--json", "-o", "a.png")
        units = json.loads(done.stdout)["units"]
        assert len(units) == 6
        for unit in units:
            top, left, bottom, right = unit["box"]
            assert unit["effective"]
            assert bottom - top == right - left <= 224
            assert min(top, left) >= 0
            assert max(bottom, right) <= 224


def test_channels_of_the_classifier_are_classes_without_a_position(run, photo):
    done = run("deconv", photo, "--layer", "classifier", "--method", "guided", "--top", "2", "-o", "a.png", "--json")
    assert done.status == 0, done.errors
    [line] = checked_lines(done.stdout.decode(), command.deconv)
    best = [(one["index"], one["name"]) for one in line["top"][:2]]
    assert [(unit["channel"], unit["class_name"]) for unit in line["units"]] == best
    assert [unit["position"] for unit in line["units"]] == [None, None]
    assert any("cnnviz attribute" in message for message in done.errors)


def test_without_a_layer_five_from_the_first_to_the_last_are_shown(run, photo):
    done = run("deconv", photo, "--top", "2", "-o", "a.png", "--raw", "a.npz", "--json")
    assert done.status == 0, done.errors
    [line] = checked_lines(done.stdout.decode(), command.deconv)
    layers = [unit["layer"] for unit in line["units"]]
    assert list(dict.fromkeys(layers)) == ["blocks.0", "blocks.1", "blocks.2", "blocks.4", "blocks.6"]
    assert [layers.count(layer) for layer in layers] == [2] * 10
    assert (line["layer"], line["method"]) == (None, "guided")
    assert all(unit["effective"] for unit in line["units"])
    assert not any("no max pools" in message for message in done.errors)
    assert np.load(photo.with_name("a.npz"))["layers"].tolist() == layers
    alone = run("deconv", photo, "--layer", "blocks.4", "--top", "2", "--receptive-field", "effective", "-o", "b.png",
                "--json")  # fmt: skip
    assert json.loads(alone.stdout)["units"] == line["units"][6:8]
    assert run("show", "--rerun", "a.png", "-o", "c.png").status == 0
    assert photo.with_name("a.png").read_bytes() == photo.with_name("c.png").read_bytes()


def test_through_pipes_and_bare(run, photo):
    words = ["deconv", "-", "--layer", LAYER, "--channel", "5", "--channel", "2", "--bare", "-o", "-"]
    done = run(*words, stdin=photo.read_bytes())
    assert done.status == 0, done.errors
    picture = np.asarray(Image.open(io.BytesIO(done.stdout)))
    assert picture.shape == (224, 448, 3)
    assert (picture[0, 0] == 128).all()


@pytest.mark.parametrize("ending", [".pdf", ".svg"])
def test_a_document_has_the_recipe_and_is_made_again_with_the_same_bytes(run, photo, ending):
    first, second = (photo.with_name(f"{name}{ending}") for name in "ab")
    done = run("deconv", photo, "--layer", LAYER, "--method", "guided", "--top", "2", "--colors", "-o", first)
    assert done.status == 0, done.errors
    assert read_recipe(first)["options"]["colors"] is True
    assert run("show", "--rerun", first, "-o", second).status == 0
    assert first.read_bytes() == second.read_bytes()


def test_a_figure_is_1920_pixels_wide_and_its_colours_are_those_asked_for(run, photo):
    made = []
    for words in ([], ["--colors"], ["--theme", "dark"], ["--scale", "2"]):
        done = run("deconv", photo, "--layer", LAYER, "--method", "guided", "--channel", "5", *words, "-o", "-")
        assert done.status == 0, done.errors
        made.append(np.asarray(Image.open(io.BytesIO(done.stdout))))
    grey, coloured, dark, twice = made
    assert grey.shape == dark.shape
    assert (grey.shape[1], twice.shape[1]) == (1920, 3840)
    changed = np.argwhere((grey[:600] != coloured[:600]).any(-1))  # above the note, which differs
    assert changed[:, 1].min() > 960  # the projection alone, on the right
    assert grey[0, 0].tolist() == [255] * 3
    assert dark[0, 0].max() < 30


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["cat.jpg", "--channel", "4"], "--channel requires --layer"),
        (["cat.jpg", "--layer", "blocks.9"], "has no layer 'blocks.9'; did you mean blocks.6"),
        (["cat.jpg", "--layer", LAYER, "--channel", "40"], "--channel 40: blocks.2 has 40 channels"),
        (["cat.jpg", "--layer", LAYER, "--channel", "4", "--top", "3"], "exclude each other"),
        (["cat.jpg", "--layer", LAYER, "--bare", "-o", "a.pdf"], "-o a.pdf"),
        (["cat.jpg", "--layer", LAYER, "--bare", "--theme", "dark"], "exclude each other"),
        (["cat.jpg", "--layer", LAYER, "--channel", "9-3"], "'9-3' is neither a number, a range such as 3-7, nor all"),
    ],
)
def test_wrong_usage_is_told_in_one_line(run, photo, words, told):
    done = run("deconv", *words)
    assert done.status == 2, done.errors
    assert told in done.errors[-1]


def test_a_network_without_a_rule_is_refused_with_its_layers(run, photo, tmp_path):
    from torchvision.models import mobilenet_v3_small

    torch.save(mobilenet_v3_small(weights=None).state_dict(), tmp_path / "random.pth")
    words = ["deconv", photo, "-m", "mobilenet_v3_small", "--weights", "random.pth", "--layer", "features.3"]
    done = run(*words)
    assert done.status == 2
    assert len(done.errors) == 1
    assert "features.0.2 (hardswish)" in done.errors[0]
    assert run(*words, "--other-activations", "rectify").status == 0
