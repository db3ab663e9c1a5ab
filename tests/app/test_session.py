"""One invocation: photos with their record, networks loaded once, class names of one's own."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from cnnviz.app.jobs import Job
from cnnviz.app.options import PhotoOptions
from cnnviz.app.session import Session
from cnnviz.errors import InvalidRequest, WeightsError


@dataclass(frozen=True, kw_only=True)
class Options(PhotoOptions):
    inputs: tuple[str, ...] = ()
    quiet: bool = True
    device: str = "cpu"


def test_a_photo_is_read_with_its_name_and_digest(photo: Path):
    session = Session("x", Options(), input_name="was.jpg")
    read = session.read(Job(str(photo)))
    assert read.image.shape == (300, 451, 3)
    assert read.record.name == "was.jpg"
    assert read.record.sha256 == hashlib.sha256(photo.read_bytes()).hexdigest()
    assert Session("x", Options()).read_stored(Job(str(photo))).image.values.shape == (300, 451, 3)
    assert Session("x", Options()).record_file(Job(str(photo))).sha256 == read.record.sha256


def test_networks_are_loaded_once_and_classes_are_indices():
    session = Session("x", Options(input_size=64))
    assert session.network is session.network
    assert session.network.size == (64, 64)
    assert session.load_network("efficientnet_lite0") is session.load_network("efficientnet_lite0")
    assert session.load_network("efficientnet_lite0").size == (224, 224)
    assert session.class_indices(("lynx", "7", "lynx")) == [287, 7]
    assert session.class_indices(()) is None


def test_class_names_come_from_a_file_one_a_line(tmp_path: Path):
    names = tmp_path / "names.txt"
    names.write_text("\n".join(f"thing {n}" for n in range(1000)))
    assert Session("x", Options(class_names=str(names))).network.class_name(5) == "thing 5"
    names.write_text("\n")
    with pytest.raises(InvalidRequest, match="holds no names"):
        Session("x", Options(class_names=str(names))).network  # noqa: B018


def test_missing_weights_are_reported_before_torch_is_needed():
    with pytest.raises(WeightsError, match="no such file"):
        Session("x", Options(weights="none.pth")).network  # noqa: B018


def test_a_layer_is_that_of_the_option_or_the_networks_default():
    session = Session("x", Options())
    assert session.layers("bn1") == ["bn1"]
    assert session.layers(None) == ["blocks.0", "blocks.1", "blocks.2", "blocks.4", "blocks.6"]
    assert (session.deep_layer("bn1"), session.deep_layer(None)) == ("bn1", "blocks.4")
