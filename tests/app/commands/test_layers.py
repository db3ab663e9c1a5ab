"""``cnnviz layers``: receptive fields against those worked out by hand from the papers' tables."""

import json
from typing import Any

import pytest

from cnnviz import cli

# A layer of kernel k sees (k - 1) * jump more than what it reads from; jump doubles with a stride of 2.
FIELDS = {
    "alexnet": {"features.0": 11, "features.2": 19, "features.3": 51, "features.5": 67, "features.6": 99,
                "features.8": 131, "features.10": 163, "features.12": 195},
    "vgg16": {"features.0": 3, "features.2": 5, "features.4": 6, "features.5": 10, "features.7": 14, "features.9": 16,
              "features.14": 40, "features.16": 44, "features.21": 92, "features.28": 196, "features.30": 212},
    "resnet18": {"conv1": 7, "maxpool": 11, "layer1.0.conv1": 19, "layer1": 43, "layer2.0.conv1": 51,
                 "layer2.0.downsample.0": 43, "layer2": 99, "layer3": 211, "layer4": 435},
    "efficientnet_lite0": {"conv_stem": 3, "blocks.0": 7, "blocks.1.0": 11, "blocks.1": 19, "blocks.2": 67,
                           "blocks.3": 147, "blocks.4": 339, "blocks.5": 787, "blocks.6": 851, "conv_head": 851},
}  # fmt: skip
SHAPES = {
    "alexnet": {"features.0": [64, 55, 55], "classifier.6": [1000]},
    "vgg16": {"features.30": [512, 7, 7], "classifier.6": [1000]},
    "resnet18": {"conv1": [64, 112, 112], "layer4": [512, 7, 7], "fc": [1000]},
    "efficientnet_lite0": {"blocks.4": [112, 14, 14], "conv_head": [1280, 7, 7], "classifier": [1000]},
}


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, dict[str, Any]]:
    assert cli.invoke(["layers", *words, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {row["name"]: row for row in rows}


@pytest.mark.parametrize("model", FIELDS)
def test_receptive_fields_and_shapes(capsys: pytest.CaptureFixture[str], model: str):
    rows = listed(capsys, "-m", model)
    assert {name: rows[name]["receptive_field"] for name in FIELDS[model]} == {
        name: f"{side}x{side}" for name, side in FIELDS[model].items()
    }
    assert {name: rows[name]["shape"] for name in SHAPES[model]} == SHAPES[model]
    assert list(rows.values())[-1]["receptive_field"] == "all"


def test_the_stride_is_that_of_a_step_on_the_input(capsys: pytest.CaptureFixture[str]):
    rows = listed(capsys, "-m", "resnet18")
    assert [rows[name]["stride"] for name in ("conv1", "maxpool", "layer2", "layer3", "layer4", "fc")] == [
        [2, 2], [4, 4], [8, 8], [16, 16], [32, 32], None
    ]  # fmt: skip


def test_names_kinds_and_order_are_the_modules(capsys: pytest.CaptureFixture[str]):
    rows = list(listed(capsys, "-m", "alexnet").values())
    assert [(row["name"], row["kind"]) for row in rows[:4]] == [
        ("features.0", "Conv2d"), ("features.1", "ReLU"), ("features.2", "MaxPool2d"), ("features.3", "Conv2d")
    ]  # fmt: skip


def test_another_size(capsys: pytest.CaptureFixture[str]):
    assert listed(capsys, "-m", "resnet18", "--input-size", "64")["conv1"]["shape"] == [64, 32, 32]


def test_a_table_for_people(capsys: pytest.CaptureFixture[str]):
    assert cli.invoke(["layers", "-m", "alexnet"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == ["features.0", "Conv2d", "64x55x55", "11x11"]
    assert all("\x1b" not in line and len(line) <= 80 for line in out)


@pytest.mark.parametrize("model", ["timm:resnet18", "timm:convnext_atto", "timm:tf_efficientnet_lite0", "zfnet"])
def test_networks_of_other_sources(capsys: pytest.CaptureFixture[str], model: str):
    rows = listed(capsys, "-m", model)
    assert list(rows.values())[-1]["shape"] == [1000]
    if model.startswith("timm:tf_"):
        ours = listed(capsys)
        assert {name: rows[name]["receptive_field"] for name in ours} == {
            name: row["receptive_field"] for name, row in ours.items()
        }


@pytest.mark.parametrize(
    ("words", "start"),
    [
        (
            ["-m", "resnet19"],
            "cnnviz: Invalid value for '-m' / '--model': no network is named 'resnet19'; did you mean resnet1",
        ),
        (["-m", "vit_b_16", "--input-size", "100"], "cnnviz: vit_b_16 cannot take an input of 100x100 pixels: "),
        (["-m", "alexnet", "--input-size", "10"], "cnnviz: alexnet cannot take an input of 10x10 pixels: "),
        (["-m", "alexnet", "--input-size", "0"], "cnnviz: Invalid value for '--input-size': 0 is not in"),
        (["-m", "timm:resnet19"], "cnnviz: timm has no network named 'resnet19'"),
        (["alexnet"], "cnnviz: Got unexpected extra argument (alexnet)"),
    ],
)
def test_mistakes_are_one_line(capsys: pytest.CaptureFixture[str], words: list[str], start: str):
    assert cli.invoke(["layers", *words]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(start)
    assert len(told.err.splitlines()) == 1
