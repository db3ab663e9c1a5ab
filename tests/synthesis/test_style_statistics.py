"""Moments and distances against closed forms."""

import pytest
import torch
from torch import Tensor

from cnnviz.synthesis.style_statistics import (
    Moments,
    cell_gradient,
    distance_from,
    mixture,
    moments,
    root_trace,
    scaled,
    symmetric_root,
    wasserstein_distance,
)

KINDS = ["covariance", "gram", "mean-std"]
DEVIATIONS = torch.tensor([1, 2, 3, 0.5, 0.1], dtype=torch.float64)


def white(channels: int = 5, side: int = 24, seed: int = 0) -> Tensor:
    """Maps (1, C, side, side), float64, of mean 0 and the identity as covariance."""
    x = torch.randn(channels, side * side, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    x -= x.mean(1, keepdim=True)
    root = torch.linalg.cholesky(x @ x.T / x.shape[1])
    return torch.linalg.solve_triangular(root, x, upper=False).view(1, channels, side, side)


def gaussian(deviations: Tensor, mean: Tensor | float = 0.0) -> Tensor:
    return white(len(deviations)) * deviations.view(1, -1, 1, 1) + torch.as_tensor(mean).view(1, -1, 1, 1)


def distance(kind: str, features: Tensor, style: Tensor) -> float:
    own = moments(features)
    return float(distance_from(moments(style), kind)(own.mean, own.second))


def test_moments_are_the_mean_and_the_covariance():
    features = torch.rand(1, 4, 7, 9, dtype=torch.float64)
    own, cells = moments(features), features[0].flatten(1)
    torch.testing.assert_close(own.mean, cells.mean(1))
    torch.testing.assert_close(own.covariance, torch.cov(cells, correction=0))
    torch.testing.assert_close((moments(features[..., :4]) + moments(features[..., 4:])).second, own.second)


def test_weights_of_0_and_1_choose_cells_and_a_mixture_is_that_of_all_cells():
    features, weights = torch.rand(1, 3, 6, 8, dtype=torch.float64), torch.zeros(1, 1, 6, 8)
    weights[..., :5] = 1
    inside, outside = moments(features[..., :5]), moments(features[..., 5:])
    torch.testing.assert_close(moments(features, weights).covariance, inside.covariance)
    both = mixture([inside, outside], [5, 3])
    torch.testing.assert_close(both.covariance, moments(features).covariance)
    assert torch.equal(mixture([inside, outside], [1, 0]).mean, mixture([inside], [2]).mean)


def test_the_wasserstein_distance_of_diagonal_gaussians():
    own, mean = torch.tensor([2, 2, 1, 0.5, 0.4], dtype=torch.float64), torch.tensor([1, 0, 0, -1, 0.0])
    want = float((mean.square().sum() + (DEVIATIONS - own).square().sum()) / own.square().sum())
    assert distance("covariance", gaussian(DEVIATIONS), gaussian(own, mean)) == pytest.approx(want, rel=0.01)


def test_the_wasserstein_distance_of_a_doubled_map_is_its_variance():
    assert distance("covariance", 2 * white(), white()) == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_a_style_is_at_no_distance_from_itself_wherever_its_cells_are(kind):
    style, order = gaussian(DEVIATIONS, 0.3), torch.randperm(24 * 24)
    moved = style.flatten(2)[..., order].view_as(style)
    assert distance(kind, style, style) == pytest.approx(0, abs=1e-12)
    assert distance(kind, moved, style) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("kind", ["covariance", "gram"])
def test_a_rotation_of_the_channels_of_both_changes_nothing(kind):
    turn = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64))[0]
    own, style = gaussian(DEVIATIONS, 0.2), white(5, seed=1)
    turned = [torch.einsum("ij,njhw->nihw", turn, features) for features in (own, style)]
    assert distance(kind, *turned) == pytest.approx(distance(kind, own, style), rel=1e-9)


def test_gram_matrices_by_equation_4_with_its_weight():
    own, style = torch.rand(1, 3, 5, 5).double(), torch.rand(1, 3, 5, 5).double()
    gram, target = (features[0].flatten(1) @ features[0].flatten(1).T for features in (own, style))
    constant = 4 * 3**2 * 25**2
    layer = (gram - target).square().sum() / constant
    assert distance("gram", own, style) == pytest.approx(float(layer * constant / target.square().sum()))


def test_means_and_deviations():
    own = gaussian(DEVIATIONS, 0.5)
    want = float((0.5**2 * 5 + (DEVIATIONS - 1).square().sum()) / 5)
    assert distance("mean-std", own, white()) == pytest.approx(want, rel=0.01)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(6, 7), (1, 3)])
def test_gradients_are_those_of_finite_differences(kind, size):
    features, style = torch.rand(1, 5, *size).double(), moments(torch.rand(1, 5, 6, 6).double())
    measure = scaled(lambda target: distance_from(target, kind), style)

    def value(x: Tensor) -> float:
        own = moments(x)
        return float(measure(own.mean, own.second))

    own = moments(features)
    mean, second = own.mean.requires_grad_(), own.second.requires_grad_()
    grads = torch.autograd.grad(measure(mean, second), (mean, second), materialize_grads=True)
    grad = cell_gradient(features, grads[0] / own.count, grads[1] / own.count)
    change = torch.randn(features.shape, dtype=torch.float64) * 1e-5
    want = (value(features + change) - value(features - change)) / 2
    assert float((grad * change).sum()) == pytest.approx(want, rel=1e-6, abs=1e-14)


def test_the_gradient_of_the_root_is_that_of_finite_differences():
    cells = torch.randn(4, 9, dtype=torch.float64)
    root = symmetric_root(2 * torch.eye(4, dtype=torch.float64) + 0.3)
    assert torch.autograd.gradcheck(lambda c: root_trace(c @ c.T / 9, root), cells.requires_grad_())


@pytest.mark.parametrize("kind", KINDS)
def test_constant_features_give_finite_distances_and_gradients(kind):
    style = Moments(1.0, torch.full((3,), 0.5).double(), torch.full((3, 3), 0.25).double())
    for measure in (distance_from(style, kind), scaled(wasserstein_distance, style)):
        for features in (torch.full((1, 3, 4, 4), 0.5), torch.rand(1, 3, 4, 4)):
            own = moments(features)
            mean, second = own.mean.requires_grad_(), own.second.requires_grad_()
            value = measure(mean, second)
            grads = torch.autograd.grad(value, (mean, second), materialize_grads=True)
            assert all(torch.isfinite(tensor).all() for tensor in (value, *grads))
