"""From a recipe back to a command line."""

from pathlib import Path

import pytest

from cnnviz.app.rerun import check_recipe, output_words
from cnnviz.errors import CnnvizError

SOURCE = {"name": "cat.jpg", "sha256": "0" * 64}


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"input": SOURCE},
        {"options": {}},
        {"input": {"name": 1, "sha256": "x"}, "options": {}},
        {"input": SOURCE, "options": []},
    ],
)  # fmt: skip
def test_incomplete_recipes_are_refused(recipe):
    with pytest.raises(CnnvizError, match="incomplete"):
        check_recipe(recipe)


def test_complete_recipes_are_taken():
    check_recipe({"input": SOURCE, "options": {}})
    check_recipe({"input": None, "options": {}})


def test_arrays_and_second_images_put_the_first_image_aside():
    spare = Path("spare")
    assert output_words(Path("a.png"), {}, "b.png", spare) == ["-o", "b.png"]
    assert output_words(Path("a.npz"), {}, "b.npz", spare) == ["--raw", "b.npz", "-o", "spare/image.png", "--quiet"]
    sheet = {"sheet": {"option": "report", "picture": ".jpg"}}
    assert output_words(Path("a.png"), sheet, "b.png", spare) == [
        "--report",
        "b.png",
        "-o",
        "spare/image.jpg",
        "--quiet",
    ]
    for wrong in ({"option": "-o x"}, {"option": None}, "x", {"option": "report", "picture": "/etc"}):
        with pytest.raises(CnnvizError, match="no command draws"):
            output_words(Path("a.png"), {"sheet": wrong}, "b.png", spare)
