"""The table of attribution methods: every row leads to a function, and is read without torch."""

import subprocess
import sys

import pytest

from cnnviz.attribution.catalog import METHODS


@pytest.mark.parametrize("name", METHODS)
def test_a_row_leads_to_its_function(name: str) -> None:
    function = METHODS[name].load()
    assert METHODS[name].function.endswith(f":{function.__name__}")
    assert METHODS[name].title


def test_reading_the_table_loads_no_torch() -> None:
    code = "import cnnviz.attribution.catalog, sys; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"
