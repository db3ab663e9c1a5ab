"""Networks that are defined here: which there are, their inputs, and files of other forms."""

from pathlib import Path

import pytest
import torch

from cnnviz.errors import WeightsError
from cnnviz.models import catalog
from cnnviz.models.own_networks import PREPROCESSING, build, read_foreign, translate
from tests.support.hed_files import write_hed

OWN = [entry.name for entry in (*catalog.LITE, catalog.ZFNET)] + catalog.names("features")


def test_every_one_has_layers_and_an_input_of_its_entrys_size():
    assert list(PREPROCESSING) == OWN
    for name, own in PREPROCESSING.items():
        entry = catalog.find_entry(name)
        assert own.size == (entry.size, entry.size)
        assert own.resize >= entry.size
        with torch.device("meta"):
            assert build(name, 7) is not None


def test_others_are_not_built_here():
    assert build("resnet18", 7) is None
    assert build("selfie", 2) is None


def test_a_file_of_another_form_is_read_for_its_network_alone(tmp_path: Path):
    path = write_hed(tmp_path)
    state = read_foreign("hed_vgg16", path)
    assert state is not None
    assert translate("hed_vgg16", state, build("hed_vgg16", 0, state)) is state
    assert build("hed_vgg16", 0, state).state_dict().keys() == state.keys()
    assert read_foreign("hed_vgg16", tmp_path / "a.safetensors") is None
    for name, file in (("zfnet", path), ("hed_vgg16", tmp_path / "a.onnx"), ("resnet18", path)):
        with pytest.raises(WeightsError, match=r"(HDF5|ONNX) weights are read for \w+ only"):
            read_foreign(name, file)
