"""Segmentation networks by name: torchvision's architectures, keys and files; sizes of inputs; what is refused."""

import pytest
import torch
from torch import nn
from torchvision.models import get_model_weights, list_models, segmentation

from cnnviz.errors import MethodError
from cnnviz.models.catalog import VOC_CLASSES, find_entry, names, segmenters
from cnnviz.models.loader import build_blank, preprocessing_of
from cnnviz.models.segmenter import Segmenter, build

TORCHVISION = list_models(module=segmentation)
SIZE = (16, 16)


def segmenter(module: nn.Module, size: tuple[int, int] = SIZE) -> Segmenter:
    return Segmenter.from_module(module, size, (0.0,) * 3, (1.0,) * 3)


def test_the_bundled_network_comes_first_and_all_of_torchvisions_follow():
    assert names("segmentation") == ["selfie", "fcn8s", "fcn8s_at_once", *TORCHVISION]
    assert "selfie" not in names("classification")


@pytest.mark.parametrize("name", TORCHVISION)
def test_a_row_says_what_torchvision_says(name):
    entry, theirs = segmenters()[name], get_model_weights(name).DEFAULT
    assert entry.url == theirs.url
    assert entry.parameters == pytest.approx(theirs.meta["num_params"] / 1e6, abs=0.051)
    assert VOC_CLASSES[1:] == tuple(theirs.meta["categories"][1:])
    own, transforms = preprocessing_of(entry), theirs.transforms()
    assert [own.resize] == transforms.resize_size
    assert own.interpolation == transforms.interpolation.value
    assert (list(own.mean), list(own.std)) == (transforms.mean, transforms.std)


def test_keys_and_shapes_are_torchvisions():
    own, theirs = build_blank("lraspp_mobilenet_v3_large"), build("lraspp_mobilenet_v3_large", 21)
    shapes = {key: tensor.shape for key, tensor in theirs.state_dict().items()}
    assert {key: tensor.shape for key, tensor in own.state_dict().items()} == shapes
    assert find_entry("lraspp_mobilenet_v3_large") is segmenters()["lraspp_mobilenet_v3_large"]


def test_photos_are_resized_by_their_shorter_side_up_to_a_limit():
    network = segmenter(nn.Conv2d(3, 2, 1))
    assert network.geometry((32, 48)).size == (16, 24)
    assert network.geometry((20, 3000)).size == (1, 64)
    assert network.geometry((8, 8)).size == (16, 16)
    with pytest.raises(MethodError, match="no pixels"):
        network.geometry((0, 8))


def test_what_gives_no_map_of_logits_is_refused():
    x = torch.zeros(1, 3, 8, 8)
    assert segmenter(nn.Conv2d(3, 2, 1))(x).shape == (1, 2, 8, 8)
    for module in (nn.Flatten(), nn.Conv2d(3, 2, 3)):
        with pytest.raises(MethodError, match="does not segment"):
            segmenter(module)(x)
