"""The table of networks against torchvision's own, and that it is instant."""

import subprocess
import sys

import pytest
from torchvision import models

from cnnviz.models.catalog import DEFAULT, LITE, ZFNET, entries, feature_networks, find_entry, imagenet_classes, names
from cnnviz.text import did_you_mean

TORCHVISION = models.list_models(module=models)


def weights(name: str):
    return models.get_model_weights(name).DEFAULT


def test_every_classifier_of_torchvision_is_listed_and_no_other():
    assert [name for name, entry in entries().items() if entry.source == "torchvision"] == TORCHVISION


@pytest.mark.parametrize("name", TORCHVISION)
def test_a_row_says_what_torchvision_says(name: str):
    entry, theirs = entries()[name], weights(name)
    assert entry.url == theirs.url
    assert [entry.size] == theirs.transforms().crop_size
    assert entry.parameters == pytest.approx(theirs.meta["num_params"] / 1e6, abs=0.051)
    assert len(entry.sha256) >= 8
    assert set(entry.sha256) <= set("0123456789abcdef")
    assert entry.file.endswith(f"-{entry.sha256}.pth")
    assert imagenet_classes() == tuple(theirs.meta["categories"])


def test_the_bundled_networks_come_first_and_the_default_is_the_first():
    names = list(entries())
    assert names[:4] == ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2", "zfnet"]
    assert names[0] == DEFAULT


def test_the_bundled_digests_are_whole_and_agree_with_the_files_names():
    for entry in LITE:
        assert len(entry.sha256) == 64
        assert entry.file.removesuffix(".pth").rpartition("-")[2] == entry.sha256[:8]


def test_parameters_of_the_bundled_networks():
    from cnnviz.models.loader import build_blank

    for entry in (*LITE, ZFNET, *feature_networks().values()):
        count = sum(tensor.numel() for tensor in build_blank(entry.name).parameters())
        assert entry.parameters == pytest.approx(count / 1e6, abs=0.051), entry.name


def test_networks_without_classes_are_no_classifiers():
    assert names("features") == ["hed_vgg16"]
    assert not {"hed_vgg16"} & {*names("classification"), *names("segmentation")}
    assert {entry.classes for entry in feature_networks().values()} == {0}
    assert find_entry("hed_vgg16") is feature_networks()["hed_vgg16"]


def test_find():
    resnet, other = find_entry("resnet50"), find_entry("timm:resnet18.a1_in1k")
    assert resnet is not None
    assert resnet.file == "resnet50-11ad3fa6.pth"
    assert resnet.sha256 == "11ad3fa6"
    assert other is not None
    assert (other.source, other.url, other.extra) == ("timm", "", "timm")
    assert find_entry("timm:") is None
    assert find_entry("ResNet50") is None
    assert find_entry("") is None


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("resnet5", "; did you mean resnet50 or"),
        ("ResNet50", "; did you mean resnet50"),
        ("efficientnet-lite0", "; did you mean efficientnet_lite0"),
        ("vgg", "; did you mean vgg"),
    ],
)
def test_near_names_are_told(word: str, answer: str):
    assert did_you_mean(word, list(entries())).startswith(answer)


def test_a_name_near_to_none_gets_the_hint():
    assert did_you_mean("qqqqqq", list(entries()), "; see elsewhere") == "; see elsewhere"
    assert did_you_mean("qqqqqq", list(entries())) == ""


def test_table_and_weights_load_neither_torch_nor_numpy_nor_pillow():
    code = (
        "import sys; from cnnviz.models import catalog, weights; e = catalog.entries(); catalog.imagenet_classes(); "
        "[weights.weights_path(entry) for entry in e.values()]; "
        "print(sorted({'torch', 'numpy', 'PIL', 'torchvision', 'timm', 'click'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
