"""``cnnviz models``: the networks, and where their weights are."""

import json
from pathlib import Path
from typing import Any

import pytest
from torchvision import models as torchvision_models

from cnnviz import cli
from cnnviz.models import catalog, weights


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, dict[str, Any]]:
    assert cli.invoke(["models", *words, "--json"]) == 0
    return {row["name"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}


def test_all_of_them(capsys: pytest.CaptureFixture[str]):
    rows = listed(capsys)
    assert next(iter(rows)) == catalog.DEFAULT
    assert set(torchvision_models.list_models(module=torchvision_models)) < set(rows)
    assert rows["resnet50"]["parameters"] == 25_600_000
    assert (rows["resnet50"]["size"], rows["resnet50"]["sha256"]) == (224, "11ad3fa6")
    assert rows["resnet50"]["source"] == "torchvision"


def test_weights_are_here_to_fetch_in_an_extra_or_to_be_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (weights.checkpoints()).mkdir(parents=True)
    (weights.checkpoints() / catalog.entries()["vgg16"].file).write_bytes(b"")
    other = catalog.NetworkEntry("other", "cnnviz", "a.pth", "00", 224, 1.0, package="no_such_package", extra="lite")
    monkeypatch.setitem(catalog.entries(), "other", other)
    rows = listed(capsys)
    names = (catalog.DEFAULT, "vgg16", "vgg19", "zfnet", "hed_vgg16", "other")
    assert {name: rows[name]["weights"] for name in names} == {
        catalog.DEFAULT: "here", "vgg16": "here", "vgg19": "to fetch", "zfnet": "--weights", "hed_vgg16": "--weights",
        "other": "in cnnviz[lite]",
    }  # fmt: skip


def test_those_that_hold_a_word(capsys: pytest.CaptureFixture[str]):
    assert list(listed(capsys, "wide_")) == ["wide_resnet101_2", "wide_resnet50_2"]
    assert list(listed(capsys, "VGG1")) == [*(name for name in catalog.entries() if "vgg1" in name), "hed_vgg16"]


def test_a_table_for_people(capsys: pytest.CaptureFixture[str]):
    assert cli.invoke(["models", "alexnet"]) == 0
    assert capsys.readouterr().out.split()[0] == "alexnet"
    assert cli.invoke(["models", "hed"]) == 0
    assert capsys.readouterr().out.split()[-1] == "features"


def test_a_word_that_none_holds_is_one_line(capsys: pytest.CaptureFixture[str]):
    assert cli.invoke(["models", "resnet19"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("cnnviz: no network name contains 'resnet19'; did you mean resnet1")
    assert len(told.err.splitlines()) == 1
