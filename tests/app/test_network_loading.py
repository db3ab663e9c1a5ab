"""Networks by a command's options: what replaces the publisher's, and what is refused before torch is loaded."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from cnnviz.app.console import Console
from cnnviz.app.network_loading import check_classes, find_weights, load, model_network, read_class_names
from cnnviz.app.options import FitOptions, NetworkOptions, TargetOptions
from cnnviz.errors import InvalidRequest, WeightsError
from cnnviz.models import catalog, weights


@dataclass(frozen=True, kw_only=True)
class Explained(NetworkOptions, TargetOptions):
    """Options of a network and of classes."""


def test_options_replace_the_publishers_preprocessing():
    own = FitOptions(device="cpu", input_size=64, mean=(0.1, 0.2, 0.3), interpolation="bilinear")
    preprocessing = model_network(own, Console(quiet=True)).preprocessing
    assert (preprocessing.size, preprocessing.mean, preprocessing.interpolation) == (
        (64, 64), (0.1, 0.2, 0.3), "bilinear",
    )  # fmt: skip
    other = load("efficientnet_lite0", own, Console(quiet=True))
    assert other.preprocessing.size == (224, 224)


def test_weights_are_those_of_the_package_or_of_the_file_named(tmp_path: Path):
    options = NetworkOptions(offline=True)
    own = weights.weights_path(catalog.entries()["efficientnet_lite0"])
    assert find_weights("efficientnet_lite0", None, options, Console()) == own
    (tmp_path / "own.pth").write_bytes(b"x")
    assert find_weights("vgg16", str(tmp_path / "own.pth"), options, Console()) == tmp_path / "own.pth"
    with pytest.raises(WeightsError, match="no such file"):
        find_weights("vgg16", "none.pth", options, Console())


def test_classes_are_checked_where_their_names_are_known(tmp_path: Path):
    names = tmp_path / "names.txt"
    names.write_text("cat\ndog\n")
    check_classes(Explained(targets=("lynx", "999")))
    check_classes(Explained(targets=("dog", "1"), class_names=str(names)))
    check_classes(Explained(targets=("anything",), weights="own.pth"))
    check_classes(Explained(targets=("anything",), model="timm:resnet18"))
    check_classes(Explained(targets=("person", "1"), model="selfie"))
    for given, message in (
        ({"targets": ("lynxx",)}, "did you mean lynx"),
        ({"targets": ("1000",)}, "has 1000, counted from 0"),
        ({"targets": ("lynx",), "class_names": str(names)}, "no class is named 'lynx'"),
        ({"targets": ("lynx",), "class_names": str(names), "weights": "own.pth"}, "no class is named 'lynx'"),
        ({"targets": ("lynx",), "model": "fcn_resnet50"}, "no class is named 'lynx'"),
    ):
        with pytest.raises(InvalidRequest, match=message):
            check_classes(Explained(**given))


def test_class_names_are_one_a_line(tmp_path: Path):
    names = tmp_path / "names.txt"
    names.write_text("\ufeffcat \n\n dog\n", "utf-8")
    assert read_class_names(str(names)) == ["cat", "dog"]
    assert read_class_names(None) is None
    for data, message in ((b"\n", "holds no names"), (b"\xff\xfe\xff", "is not UTF-8")):
        names.write_bytes(data)
        with pytest.raises(InvalidRequest, match=message):
            read_class_names(str(names))
    with pytest.raises(InvalidRequest, match="is not a file"):
        read_class_names(str(tmp_path))
