"""Content, styles and masks as they are used, what to start with, and what a result keeps."""

import numpy as np
import pytest
import torch
from torch import Tensor

from cnnviz.control import Control
from cnnviz.errors import InvalidRequest
from cnnviz.io.convert import to_image
from cnnviz.synthesis.style_images import StyleImages, prepare_images
from cnnviz.synthesis.style_statistics import moments
from cnnviz.synthesis.transforms import luminance


def uniform(*size: int, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed))


def prepare(content=None, styles=None, weights=(), masks=(), **changes) -> StyleImages:
    options = {"long_side": None, "style_scale": 1.0, "original_colors": None, "control": Control()} | changes
    content = uniform(20, 30) if content is None else content
    return prepare_images(content, [uniform(40, 40, seed=1)] if styles is None else styles, weights, masks, **options)


def test_sizes_are_those_of_the_result_and_of_the_style_scale():
    images = prepare(np.zeros((20, 30, 3), np.uint8), [np.zeros((60, 90, 3), np.uint8)], long_side=15, style_scale=2)
    assert tuple(images.content.shape) == (1, 3, 10, 15)
    assert tuple(images.styles[0].shape) == (1, 3, 20, 30)


def test_a_style_that_is_enlarged_gets_a_note():
    notes: list[str] = []
    prepare(styles=[uniform(10, 12), uniform(9, 40)], control=Control(note=notes.append))
    assert notes == ["style 1 has 12x10 pixels and is enlarged to 30: its strokes get blurred"]


@pytest.mark.parametrize(
    ("weights", "masks", "message"),
    [((1, 2), (), "2 style weights"), ((-1,), (), "0 or more"), ((0,), (), "not all 0"), ((), 2, "2 style masks")],
)
def test_weights_and_masks_must_fit(weights, masks, message):
    with pytest.raises(InvalidRequest, match=message):
        prepare(weights=weights, masks=[torch.ones(1, 1, 5, 5)] * (masks or 0))


def test_no_style_is_an_error():
    with pytest.raises(InvalidRequest, match="needs a style"):
        prepare(styles=[])


def test_the_start_has_the_styles_colours_or_its_pixels():
    images, generator = prepare(), torch.Generator().manual_seed(0)
    small, styles = uniform(10, 12), [uniform(12, 12, seed=1)]
    colors = moments(images.start("content", small, styles, generator))
    torch.testing.assert_close(colors.covariance, moments(styles[0]).covariance, atol=2e-5, rtol=0)
    noise = images.start("noise", small, styles, generator)
    torch.testing.assert_close(noise.mean((0, 2, 3)), styles[0].mean((0, 2, 3)), atol=0.05, rtol=0)
    assert torch.equal(images.start("style", small, styles, generator), styles[0][..., 1:11, :])


def test_regions_share_a_pixel_and_leave_what_no_mask_covers():
    left, all_ = torch.zeros(1, 1, 20, 30), torch.full((1, 1, 20, 30), 0.5)
    left[..., :15] = 1
    images = prepare(styles=[uniform(9, 9, seed=seed) for seed in (1, 2)], masks=[left, all_], weights=(1, 1))
    regions = images.regions((20, 30))
    torch.testing.assert_close(regions[:, 0, 0, 0], torch.tensor([2 / 3, 1 / 3]))
    torch.testing.assert_close(regions[:, 0, 0, 29], torch.tensor([0, 0.5]))
    one = prepare(masks=[left])
    finished = one.finish(torch.zeros(1, 3, 20, 30))
    assert torch.equal(finished[..., 15:], one.photo[..., 15:])
    assert not finished[..., :15].any()
    start = one.start("content", one.content, one.styles, torch.Generator())
    assert torch.equal(start[..., 15:], one.content[..., 15:])


def test_luminance_keeps_the_photos_chroma_and_recolored_moves_the_styles():
    photo = to_image(uniform(20, 30))
    images = prepare(photo, original_colors="luminance")
    finished = images.finish(uniform(20, 30, seed=5))
    want, own = (image - luminance(image) for image in (images.photo, finished))
    torch.testing.assert_close(own, want, atol=1e-6, rtol=0)
    assert torch.equal(images.content[:, 0], images.content[:, 1])
    recolored = prepare(original_colors="recolored")
    torch.testing.assert_close(moments(recolored.styles[0]).mean, moments(recolored.photo).mean, atol=0.02, rtol=0)
