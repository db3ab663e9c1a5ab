"""The options that deconv and top-images share."""

from pathlib import Path

import click
import pytest

from cnnviz.errors import InvalidRequest
from cnnviz.features.commands.deconv import deconv
from cnnviz.features.commands.projection_options import FolderOptions
from cnnviz.features.commands.top_images import top_images
from tests.support.folders import folder_options


@pytest.mark.parametrize("function", [deconv, top_images])
def test_both_commands_have_them(function) -> None:
    names = {param.name for param in function.command.params}
    assert {"layer", "method", "other_activations", "receptive_field", "channel", "top"} <= names


def test_settings_are_those_of_the_options_and_a_layer_is_required() -> None:
    defaults = {param.name: param.default for param in top_images.command.params} | {"inputs": ("photos",)}
    settings = FolderOptions(**defaults | {"layer": "conv1", "method": "guided"}).settings()
    assert (settings.layer, settings.method, settings.receptive_field) == ("conv1", "guided", "exact")
    with pytest.raises(click.UsageError, match="Missing option '--layer'"):
        FolderOptions(**defaults)


def test_the_folder_of_the_results(tmp_path: Path) -> None:
    assert folder_options(tmp_path, output=None).result_folder() == Path(f"{tmp_path.name}-top-images")
    assert folder_options(tmp_path, output="figure-2/").result_folder() == Path("figure-2")
    for wrong in ("a.png", "-"):
        with pytest.raises(InvalidRequest, match="several results"):
            folder_options(tmp_path, output=wrong).result_folder()
