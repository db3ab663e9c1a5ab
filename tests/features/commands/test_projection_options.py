"""The options that deconv and top-images share."""

from pathlib import Path

import pytest

from cnnviz.errors import InvalidRequest
from cnnviz.features.commands.deconv import deconv
from cnnviz.features.commands.projection_options import FolderOptions, field_option
from cnnviz.features.commands.top_images import top_images
from tests.support.folders import folder_options


@pytest.mark.parametrize("function", [deconv, top_images])
def test_both_commands_have_them(function) -> None:
    names = {param.name for param in function.command.params}
    assert {"layer", "method", "other_activations", "receptive_field", "channel", "top"} <= names


def test_settings_are_those_of_the_options() -> None:
    defaults = {param.name: param.default for param in top_images.command.params} | {"inputs": ("photos",)}
    settings = FolderOptions(**defaults | {"method": "guided"}).settings("conv1")
    assert (settings.layer, settings.method, settings.receptive_field) == ("conv1", "guided", "exact")
    assert FolderOptions(**defaults).settings("conv1").method is None


def test_the_help_names_the_default_of_a_receptive_field() -> None:
    assert field_option("the larger one").metadata["option"].help.endswith("[default: the larger one]")


def test_the_folder_of_the_results(tmp_path: Path) -> None:
    assert folder_options(tmp_path, output=None).result_folder() == Path(f"{tmp_path.name}-top-images")
    assert folder_options(tmp_path, output="figure-2/").result_folder() == Path("figure-2")
    for wrong in ("a.png", "-"):
        with pytest.raises(InvalidRequest, match="several results"):
            folder_options(tmp_path, output=wrong).result_folder()
