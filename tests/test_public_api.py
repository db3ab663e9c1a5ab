"""What ``from cnnviz import ...`` gives: all of it documented, typed, listed, and imported on first use."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cnnviz

ROOT = Path(__file__).parents[1]
FUNCTIONS = [name for name in cnnviz.__all__ if inspect.isfunction(getattr(cnnviz, name))]


def test_importing_the_package_loads_nothing_heavy():
    code = "import cnnviz, sys; print(sorted({'torch', 'numpy', 'PIL', 'click'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_names_are_listed_for_completion_and_typed_in_the_stub():
    assert set(cnnviz.__all__) <= set(dir(cnnviz))
    stub = (ROOT / "cnnviz/__init__.pyi").read_text("utf-8")
    assert sorted(re.findall(r" as (\w+)$", stub, re.M)) == cnnviz.__all__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = cnnviz.nothing


@pytest.mark.parametrize("name", cnnviz.__all__)
def test_every_name_has_a_docstring_with_its_shapes_and_is_on_the_page(name):
    doc = inspect.getdoc(getattr(cnnviz, name))
    assert doc
    assert re.search(rf"\b{name}\b", (ROOT / "docs/python.md").read_text("utf-8"))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures_are_typed_and_narrow(name):
    signature = inspect.signature(getattr(cnnviz, name))
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(param.annotation is not inspect.Parameter.empty for param in signature.parameters.values())
    assert len(signature.parameters) <= 10
    assert " at 0x" not in str(signature)  # as help() shows it
