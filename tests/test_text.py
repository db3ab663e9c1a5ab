"""Words in messages."""

import pytest

from cnnviz.text import did_you_mean, plural, printable


def test_suggestions_are_near_names_or_the_hint():
    assert did_you_mean("resnet5", ["resnet50", "vgg16"]) == "; did you mean resnet50?"
    assert did_you_mean("zzz", ["resnet50"], "; see cnnviz models") == "; see cnnviz models"
    assert did_you_mean("zzz", ["resnet50"]) == ""


@pytest.mark.parametrize(("count", "text"), [(0, "0 levels"), (1, "1 level"), (2, "2 levels")])
def test_plural(count, text):
    assert plural(count, "level") == text


def test_names_stay_on_one_line():
    assert printable("a\nb\x1b[31m") == r"a\nb\x1b[31m"
    assert printable("na\u00efve 猫.jpg") == "na\u00efve 猫.jpg"
    assert printable(b"\xff.jpg".decode("utf-8", "surrogateescape")) == r"\xff.jpg"
