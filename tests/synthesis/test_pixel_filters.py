"""The filters' moments and gradients against those of a convolution with the same filters."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cnnviz.synthesis.pixel_filters import add_filter_gradient, filter_bank, filter_moments, has_patches
from cnnviz.synthesis.style_statistics import moments


def responses(image: Tensor) -> Tensor:
    return F.conv2d(image, filter_bank().view(27, 3, 3, 3).to(image))


def test_the_filters_are_orthonormal_and_all_but_three_ignore_a_constant():
    bank = filter_bank()
    torch.testing.assert_close(bank @ bank.T, torch.eye(27, dtype=torch.float64))
    grey = responses(torch.full((1, 3, 5, 5), 0.5, dtype=torch.float64))[0, :, 0, 0]
    assert grey.abs().gt(1e-12).sum() == 1  # brightness; the two differences of colour are 0 in grey


@pytest.mark.parametrize("size", [(3, 3), (19, 8), (37, 41)])
def test_moments_are_those_of_the_responses(size):
    image, weights = torch.rand(1, 3, *size, dtype=torch.float64), torch.rand(1, 1, *size, dtype=torch.float64)
    for masks in ((None, None), (weights, weights[..., 1:-1, 1:-1])):
        own, want = filter_moments(image, masks[0]), moments(responses(image), masks[1])
        torch.testing.assert_close(own.mean, want.mean)
        torch.testing.assert_close(own.second, want.second)
        assert own.count == pytest.approx(want.count)


def test_the_gradient_is_that_of_the_responses():
    image = torch.rand(1, 3, 37, 12, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(1, 1, 37, 12, dtype=torch.float64)
    mean, second = torch.randn(27, dtype=torch.float64), torch.randn(27, 27, dtype=torch.float64)
    cells = responses(image)[0].flatten(1)
    inside = weights[..., 1:-1, 1:-1].flatten()
    value = (inside * (mean @ cells)).sum() + torch.einsum("in,ij,jn,n->", cells, second, cells, inside)
    (want,) = torch.autograd.grad(value, image)
    grad = torch.zeros_like(want)
    add_filter_gradient(grad, image.detach(), mean, second, weights)
    torch.testing.assert_close(grad, want)


def test_an_image_of_two_rows_has_no_patches():
    assert has_patches(torch.zeros(1, 3, 3, 3))
    assert not has_patches(torch.zeros(1, 3, 2, 9))
