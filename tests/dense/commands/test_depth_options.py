"""What --model of depth takes, and that a network which is not there is reported before torch is loaded."""

from cnnviz.dense.commands.depth_options import FolderOrName


def test_a_folder_is_a_path_and_everything_else_a_name(tmp_path):
    kind = FolderOrName()
    assert kind.convert(str(tmp_path), None, None) == tmp_path
    assert kind.convert("owner/name", None, None) == "owner/name"


def test_a_missing_network_is_reported_before_torch_is_loaded(run):
    code = """import sys
from types import SimpleNamespace
from cnnviz.app.console import Console
from cnnviz.dense.commands.depth_options import load_network
from cnnviz.errors import WeightsError
try:
    load_network(SimpleNamespace(model='./none', offline=True), Console())
except WeightsError as error:
    print(len(str(error).splitlines()), 'torch' in sys.modules)"""
    assert run(script=f'python -c "{code}"').stdout == b"2 False\n"
