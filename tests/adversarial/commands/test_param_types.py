"""Words of the command line: lists of transforms, regions of a photo."""

from pathlib import Path

import click
import pytest

from cnnviz.adversarial.commands.param_types import PatchRegion, TransformNames


def test_transforms_are_names_with_commas_each_once():
    assert TransformNames().convert("jpeg90, blur,jpeg90", None, None) == ("jpeg90", "blur")
    with pytest.raises(click.UsageError, match="'rain' is none of jpeg90"):
        TransformNames().convert("blur,rain", None, None)


def test_a_region_is_three_corners_or_a_file(tmp_path):
    assert PatchRegion().convert("1,2  3.5,4 5,6", None, None) == "1,2 3.5,4 5,6"
    path = tmp_path / "mask.png"
    path.touch()
    assert PatchRegion().convert(str(path), None, None) == Path(path)
    for words in ("1,2 3,4", "1,2 3,4 a,b", str(tmp_path / "none.png")):
        with pytest.raises(click.UsageError, match="neither a file nor three or more corners"):
            PatchRegion().convert(words, None, None)
