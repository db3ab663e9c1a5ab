"""Segmentations whose classes are known: of a network of one convolution, and the library's own classes."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import cnnviz
from cnnviz import segment
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.segmenter import Segmenter, build
from tests.support import results

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_the_class_is_the_channel_that_is_largest():
    photo = np.zeros((12, 18, 3), np.uint8)
    photo[:, :6, 0], photo[:, 6:12, 1], photo[:, 12:, 2] = 250, 250, 250
    found = segment(results.segmenter(), photo)
    assert [set(np.unique(found.classes[:, at])) for at in (2, 8, 15)] == [{0}, {1}, {2}]
    assert [(one.index, one.name) for one in found.areas] == [(0, "red"), (1, "green"), (2, "blue")]
    assert sum(one.area for one in found.areas) == pytest.approx(1)
    assert found.targets == (1, 2)
    assert found.foreground[:, 8:].min() > 0.9
    assert found.foreground[:, :5].max() < 0.1


def test_the_cut_out_is_the_photo_with_the_foreground_as_opacity():
    photo = results.photo("grey")
    found = segment(results.segmenter(), photo, targets=[2])
    assert found.cutout.shape == (*photo.shape[:2], 4)
    assert np.array_equal(found.cutout[..., :3], photo)
    assert np.array_equal(found.cutout[..., 3], np.rint(255 * found.foreground))


def test_a_network_of_torchvision_gives_the_librarys_own_classes_at_every_pixel():
    from torchvision.transforms._presets import SemanticSegmentation

    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = build("lraspp_mobilenet_v3_large", 21).eval()
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8))
    photo = np.asarray(small.resize((120, 96), Image.Resampling.BICUBIC))
    with torch.inference_mode():
        theirs = module(SemanticSegmentation(resize_size=96)(Image.fromarray(photo))[None])["out"][0].argmax(0)
    network = Segmenter.from_module(module, (96, 96), *IMAGENET)
    assert np.array_equal(segment(network, photo).classes, theirs.numpy())


@pytest.mark.parametrize("size", [(20, 3000), (16, 16), (1, 1), (300, 7)])
def test_photos_of_any_shape(size):
    found = segment(results.segmenter(), np.full((*size, 3), 90, np.uint8))
    assert found.classes.shape == size
    assert np.isfinite(found.foreground).all()


def test_what_cannot_be_segmented_is_refused():
    photo = results.photo("tiny")
    with pytest.raises(InvalidRequest, match="does not segment"):
        segment(results.network(), photo)
    with pytest.raises(InvalidRequest, match="no class 3"):
        segment(results.segmenter(), photo, targets=[3])
    with pytest.raises(MethodError, match="has 1 classes"):
        segment(Segmenter.from_module(nn.Conv2d(3, 1, 1), (16, 16), (0.0,) * 3, (1.0,) * 3), photo)


def test_its_figure():
    assert cnnviz.figure(results.segmentation()).canvas.get_width_height()[0] == 1920
