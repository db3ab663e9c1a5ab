"""Layer names for completion: those of the network, from the cache the second time."""

import pytest
from torchvision.models import alexnet

from cnnviz.app.layer_names import cache_file, layer_names


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_names_are_the_modules_and_are_kept():
    names = [name for name, _ in alexnet(weights=None).named_modules() if name]
    assert layer_names("alexnet") == names
    assert cache_file("alexnet").read_text("utf-8").splitlines() == names
    cache_file("alexnet").write_text("from.the.cache", "utf-8")
    assert layer_names("alexnet") == ["from.the.cache"]


def test_an_unknown_network_and_a_cache_that_cannot_be_written(cache):
    assert layer_names("resnet19") == []
    (cache / "cnnviz").write_text("a file, not a folder")
    assert "features.0" in layer_names("alexnet")


def test_the_file_of_a_network_is_in_one_folder(cache):
    assert cache_file("timm:a/b").parent.parent == cache / "cnnviz"
