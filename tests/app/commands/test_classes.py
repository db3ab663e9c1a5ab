"""``cnnviz classes``: what ``--class`` takes."""

import json

import pytest
from torchvision.models import ResNet50_Weights

from cnnviz import cli


def test_all_of_them_are_imagenets(capsys: pytest.CaptureFixture[str]):
    assert cli.invoke(["classes", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"] for row in rows] == ResNet50_Weights.DEFAULT.meta["categories"]
    assert [row["index"] for row in rows] == list(range(1000))


def test_those_that_hold_a_word_in_any_case(capsys: pytest.CaptureFixture[str]):
    assert cli.invoke(["classes", "CARDIGAN"]) == 0
    assert capsys.readouterr().out == " 264  Cardigan\n 474  cardigan\n"


def test_a_word_that_none_holds_is_one_line(capsys: pytest.CaptureFixture[str]):
    assert cli.invoke(["classes", "tabbie"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("cnnviz: no class name contains 'tabbie'; did you mean tabby")
    assert len(told.err.splitlines()) == 1
