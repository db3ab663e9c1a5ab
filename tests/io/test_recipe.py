"""The recipe inside a file: in and out of every format, and what somebody made up is no recipe."""

import json
import os
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from cnnviz.errors import CnnvizError
from cnnviz.io import recipe, write

NASTY = {"text": "<&>\"' ]]> </cnnviz:recipe> &amp; \n\x1b\x9b é 猫 😀 \udcff"}
RECIPE: dict[str, Any] = {"recipe": 1, "command": "occlude", "options": NASTY, "numbers": {"p": 0.1}}


def with_text(path: Path, text: str) -> Path:
    info = PngImagePlugin.PngInfo()
    info.add_itxt(recipe.KEY, text)
    Image.new("RGB", (2, 2)).save(path, pnginfo=info)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.JPEG", "a.webp"])
def test_every_picture_format_carries_it_unchanged(name: str, tmp_path: Path) -> None:
    write.write_image(str(tmp_path / name), np.zeros((4, 5, 3), np.uint8), RECIPE)
    assert recipe.read_recipe(tmp_path / name) == RECIPE
    with Image.open(tmp_path / name) as image:
        assert image.size == (5, 4)


def test_arrays_carry_it_unchanged(tmp_path: Path) -> None:
    write.write_arrays(str(tmp_path / "a.npz"), {"maps": np.arange(3)}, RECIPE)
    assert recipe.read_recipe(tmp_path / "a.npz") == RECIPE
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["maps"].tolist() == [0, 1, 2]


def test_the_same_recipe_is_the_same_text() -> None:
    assert (
        recipe.dump_recipe({"b": 1, "a": "é"}) == recipe.dump_recipe({"a": "é", "b": 1}) == '{"a": "\\u00e9", "b": 1}'
    )
    with pytest.raises(ValueError, match="not JSON compliant"):
        recipe.dump_recipe({"p": float("nan")})


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "null", "3", "[]", '"text"', "{}", '{"recipe": 1}', '{"recipe": 1, "command": null}',
        '{"recipe": 1, "command": ["show"]}', '{"recipe": 2, "command": "occlude"}', '{"command": "occlude"}',
        '{"recipe": 1, "command": "occlude", "p": NaN}', '{"recipe": 1, "command": "occlude", "p": -Infinity}',
        "[" * 100_000, '{"recipe": 1, "command": "occlude", "p": ' + "9" * 5000 + "}",
    ],
)  # fmt: skip
def test_what_is_no_recipe_is_none(text: str, tmp_path: Path) -> None:
    assert recipe.read_recipe(with_text(tmp_path / "a.png", text)) is None
    with pytest.raises(CnnvizError, match="has no recipe"):
        recipe.read_required(tmp_path / "a.png")


def test_a_recipe_longer_than_the_limit_is_none(tmp_path: Path) -> None:
    fits = json.dumps(RECIPE | {"long": ""})
    for spare, found in ((0, True), (1, False)):
        padded = json.dumps(RECIPE | {"long": "x" * (recipe.LIMIT - len(fits) + spare)})
        assert (recipe.read_recipe(with_text(tmp_path / "a.png", padded)) is not None) is found


def test_arrays_that_unpack_to_more_than_any_recipe_are_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("recipe.npy", bytes(64 << 20))
    assert path.stat().st_size < 1 << 20
    with monkeypatch.context() as patch:
        patch.setattr(np.lib.format, "read_array", lambda *_, **__: pytest.fail("it was unpacked"))
        assert recipe.read_recipe(path) is None
    np.savez(path, recipe=np.array({"a": 1}, dtype=object))  # pickled: never loaded
    assert recipe.read_recipe(path) is None
    path.write_bytes(b"PK\3\4 no archive")
    assert recipe.read_recipe(path) is None


def test_pictures_without_one_folders_and_pipes_are_none(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "plain.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "text.png").write_text("no picture")
    for name in ("plain.png", "pipe.png", "text.png", "missing.png", ""):
        assert recipe.read_recipe(tmp_path / name) is None
    with pytest.raises(CnnvizError, match=r"missing\.png: no such file"):
        recipe.read_required(tmp_path / "missing.png")
    with pytest.raises(CnnvizError, match=r"pipe\.png: is not a file"):
        recipe.read_required(tmp_path / "pipe.png")


def test_a_picture_of_any_size_is_ours_without_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write.write_image(str(tmp_path / "a.png"), np.zeros((30, 30, 3), np.uint8), RECIPE)
    for limit in (600, 300):  # Pillow warns above its limit, and refuses above twice that
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert recipe.read_recipe(tmp_path / "a.png") == RECIPE
        assert limit == Image.MAX_IMAGE_PIXELS


def test_a_forged_svg_of_opening_tags_has_no_recipe(tmp_path):
    path = tmp_path / "forged.svg"
    path.write_text("<?xml version='1.0'?>" + recipe.OPEN * 40_000)
    assert recipe.read_recipe(path) is None
