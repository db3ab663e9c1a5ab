"""What the figure of a segmentation shows."""

import numpy as np

from cnnviz.dense.figures.segmentation import draw_segmentation, overlay
from cnnviz.dense.palette import voc_palette
from cnnviz.dense.segment import segment
from tests.support import results
from tests.support.figures import pictures, words


def test_the_title_and_the_legend_name_the_classes_and_their_areas():
    found = results.segmentation()
    text = words(draw_segmentation(found, "fcn_resnet50"))
    first = next(one for one in found.areas if one.index)
    assert any(word.startswith(f"“{first.name}” covers {100 * first.area:.1f} %") for word in text)
    assert f"{first.name} {100 * first.area:.1f} %" in text
    assert any("FCN with ResNet-50" in word for word in text)


def test_a_photo_of_background_alone():
    red = np.zeros((40, 60, 3), np.uint8)
    red[..., 0] = 250
    figure = draw_segmentation(segment(results.segmenter(), red), "selfie")
    assert "Nothing but background was found" in words(figure)
    assert len(pictures(figure)) == 2


def test_classes_are_in_the_colours_of_the_mask_and_the_background_is_grey():
    photo = np.zeros((40, 60, 3), np.uint8)
    photo[:, :30, 0], photo[:, 30:, 1] = 250, 250
    drawn = overlay(segment(results.segmenter(), photo), (40, 60))
    assert len(set(drawn[20, 10].tolist())) == 1
    direction = drawn[20, 50].astype(int) - drawn[20, 50].min()
    assert direction.argmax() == voc_palette()[1].argmax()
    assert (drawn[20, 28:32] == 255).all(1).any()
