"""Option groups: every option has help, a panel and a decision whether the recipe holds it."""

import dataclasses

import pytest

from cnnviz.app import options
from cnnviz.app.declare import PANELS

GROUPS = [value for value in vars(options).values() if dataclasses.is_dataclass(value)]


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_of_a_group_is_described(group):
    for item in dataclasses.fields(group):
        if spec := item.metadata.get("option"):
            assert spec.help.endswith((".", "]")), item.name
            assert spec.panel in PANELS
            assert isinstance(spec.recorded, bool)


def test_an_option_is_redeclared_with_changes_alone():
    other = options.redeclare(options.eps_option(8), help="Other.", default=16)
    assert (other.default, other.metadata["option"].help) == (16, "Other.")
    assert other.metadata["option"].attrs["metavar"] == "LEVELS"
