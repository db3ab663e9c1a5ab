"""Images and tensors are one another's inverse; the longer side is the one asked for."""

import numpy as np
import torch

from cnnviz.io.convert import resize_long_side, to_image, to_tensor


def test_a_tensor_of_an_image_gives_it_back():
    image = np.random.default_rng(0).integers(256, size=(5, 7, 3), dtype=np.uint8)
    tensor = to_tensor(image)
    assert (tensor.shape, tensor.dtype) == ((1, 3, 5, 7), torch.uint8)
    for values in (tensor / 255, tensor[0] / 255):
        assert np.array_equal(to_image(values), image)


def test_the_longer_side_is_resized():
    image = np.full((30, 40, 3), 9, np.uint8)
    assert resize_long_side(image, None) is image
    assert resize_long_side(image, 40) is image
    assert resize_long_side(image, 20).shape == (15, 20, 3)
    assert (resize_long_side(image, 80) == 9).all()
