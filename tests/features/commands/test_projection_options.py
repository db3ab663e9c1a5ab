"""The options that deconv and top-images share."""

import click
import pytest

from cnnviz.features.commands.deconv import deconv
from cnnviz.features.commands.projection_options import FolderOptions
from cnnviz.features.commands.top_images import top_images


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
