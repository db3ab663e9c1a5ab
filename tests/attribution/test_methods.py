"""Every attribution method of the catalog: shape, closed form, completeness, seed, refusals. One row each."""

import pytest
import torch
from torch import Tensor

from cnnviz import Network
from cnnviz.attribution.backprop import attribute
from cnnviz.attribution.catalog import METHODS
from cnnviz.attribution.class_score import MethodSettings
from cnnviz.errors import InvalidRequest
from tests.support.attribution_networks import SIZE, Awkward, Linear, Rectified, close, tiny

TARGETS = (3, 1)
FEW = MethodSettings(steps=3, samples=2)


class Expected:
    """Closed forms on the linear network: maps (targets, h, w) by the gradient (targets, 3) at every pixel."""

    def __init__(self, network: Network, x: Tensor) -> None:
        conv, fc = network.module.conv, network.module.fc
        pixels = SIZE[0] * SIZE[1]
        self.gradient = ((fc.weight @ conv.weight[..., 0, 0]) / network.std.view(3) / pixels)[list(TARGETS)]
        self.times_input = torch.einsum("tc,chw->thw", self.gradient, x[0])
        self.flat = torch.ones(2, *SIZE, dtype=torch.float64)
        self.largest = self.gradient.abs().amax(1)[:, None, None] * self.flat
        self.sum = self.gradient.sum(1)[:, None, None] * self.flat
        maps = conv((x - network.mean) / network.std)
        self.cam = torch.einsum("tk,khw->thw", fc.weight[list(TARGETS)] / pixels, maps[0]).relu()


# One row for each method: its map of the linear network; None where it has no closed form there.
EXPECTED = {
    "gradient": lambda e: e.largest,
    "gradient-x-input": lambda e: e.times_input,
    "integrated-gradients": lambda e: e.times_input,
    "smoothgrad": lambda e: e.largest,
    "grad-cam": lambda e: e.cam,
    "guided-grad-cam": lambda e: e.cam * e.sum,
    "guided": lambda e: e.sum,
    "deconvnet": lambda e: e.sum,
    "deeplift": lambda e: e.times_input,
}


def test_every_method_has_a_row() -> None:
    assert set(EXPECTED) == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_shape_sign_and_closed_form_on_a_linear_network(method: str) -> None:
    network, x = tiny(Linear)
    found = attribute(network, x, method=method, targets=TARGETS)
    assert found.targets == TARGETS
    assert found.maps.shape == (2, *SIZE)
    assert found.maps.dtype == torch.float32
    assert found.signed == METHODS[method].signed
    assert found.signed or found.maps.min() >= 0
    assert (found.layer == "conv") == METHODS[method].layer
    if (expected := EXPECTED[method]) is not None:
        assert close(found.maps, expected(Expected(network, x)))


@pytest.mark.parametrize("kind", [Linear, Rectified, Awkward])
@pytest.mark.parametrize("method", [name for name, row in METHODS.items() if row.complete])
def test_maps_of_complete_methods_sum_to_the_difference_from_black(method: str, kind: type) -> None:
    network, x = tiny(kind)
    found = attribute(network, x, method=method, targets=[2], settings=MethodSettings(steps=200))
    wanted = float(network(x)[0, 2] - network(torch.zeros_like(x))[0, 2])
    assert abs(float(found.maps.double().sum()) - wanted) < 1e-3 * float(found.maps.abs().sum())
    assert found.gaps is not None


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_repeats_and_the_global_random_state_stays(method: str) -> None:
    network, x = tiny(Awkward)
    state = torch.random.get_rng_state()
    first, again = (attribute(network, x, method=method, settings=FEW).maps for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("method", METHODS)
def test_a_black_input_gives_finite_maps(method: str) -> None:
    network, x = tiny(Awkward)
    assert attribute(network, x * 0, method=method, targets=[1], settings=FEW).maps.isfinite().all()


@pytest.mark.parametrize("method", METHODS)
def test_a_class_beyond_the_last_is_refused(method: str) -> None:
    network, x = tiny(Awkward)
    with pytest.raises(InvalidRequest, match="has 5, counted from 0"):
        attribute(network, x, method=method, targets=[5])


@pytest.mark.parametrize("method", [name for name, row in METHODS.items() if row.layer])
def test_layers_without_maps_and_unknown_ones_are_refused(method: str) -> None:
    network, x = tiny(Awkward)
    for layer, message in (
        ("conv", "has no layer 'conv'; did you mean conv3 or conv2"),
        ("fc", "gives no feature maps"),
    ):
        with pytest.raises(InvalidRequest, match=message):
            attribute(network, x, method=method, layer=layer)
