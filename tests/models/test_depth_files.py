"""Where networks for depth are looked for: two lines say what is missing."""

import importlib.util
from pathlib import Path

import pytest

from cnnviz.errors import Status, WeightsError
from cnnviz.models.depth_files import FILES, find_depth_network

NEEDED = "transformers is not installed: pip install 'cnnviz[depth]'"
with_transformers = pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason=NEEDED)


def refused(name: str | Path) -> list[str]:
    with pytest.raises(WeightsError) as caught:
        find_depth_network(name, offline=True)
    assert caught.value.status == Status.WEIGHTS
    return str(caught.value).splitlines()


@with_transformers
def test_a_folder_has_the_name_of_the_network(tmp_path, monkeypatch):
    folder = tmp_path / "my-depth"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / FILES[1]).write_bytes(b"")
    assert find_depth_network(folder).weights == folder / FILES[1]
    (folder / FILES[0]).write_bytes(b"")
    assert find_depth_network(str(folder)).weights == folder / FILES[0]
    monkeypatch.chdir(folder)
    assert find_depth_network(".").name == "my-depth"


@with_transformers
def test_what_is_missing_is_said_in_two_lines(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "empty").mkdir()
    for name, words in {tmp_path / "none": "no such folder", tmp_path / "empty": "holds no model.safetensors",
                        "./none": "no such folder", "owner/none": "--offline forbids"}.items():  # fmt: skip
        lines = refused(name)
        assert len(lines) == 2
        assert words in lines[0]
    (tmp_path / "empty" / FILES[0]).write_bytes(b"")
    assert "holds no config.json" in refused(tmp_path / "empty")[0]


def test_without_the_library_two_lines_say_how_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert refused("owner/name") == ["depth needs the transformers library, which is not here",
                                     "it is installed by: pip install 'cnnviz[depth]'"]  # fmt: skip
