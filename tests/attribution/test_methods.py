"""Every attribution method: its row of the catalog, its paper's formula, captum where it is right, refusals."""

import warnings

import captum.attr
import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor

from cnnviz import Network, fit, read_photo
from cnnviz.attribution.backprop import attribute
from cnnviz.attribution.catalog import METHODS
from cnnviz.attribution.class_score import MethodSettings
from cnnviz.errors import InvalidRequest, MethodError
from tests.conftest import PHOTOS
from tests.support.attribution_networks import SIZE, Awkward, Gated, Linear, Rectified, Squared, close, tiny
from tests.support.networks import lite0

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


def test_the_gradient_is_autograds_of_either_score() -> None:
    network, x = tiny(Awkward)
    for score in ("logit", "probability"):
        leaf = x.clone().requires_grad_()
        scores = network(leaf) if score == "logit" else network(leaf).softmax(1)
        gradient = torch.autograd.grad(scores[0, 1], leaf)[0]
        found = {m: attribute(network, x, method=m, targets=[1], score=score) for m in ("gradient", "gradient-x-input")}
        assert close(found["gradient"].maps, gradient.abs().amax(1))
        assert close(found["gradient-x-input"].maps, (gradient * x).sum(1))


def test_smoothgrad_without_noise_is_the_gradient_and_its_seed_is_its_own() -> None:
    network, x = tiny(Awkward)
    plain = attribute(network, x, method="gradient").maps
    assert close(attribute(network, x, method="smoothgrad", settings=MethodSettings(noise=0, samples=3)).maps, plain)
    one, again, other = (
        attribute(network, x, method="smoothgrad", settings=MethodSettings(seed=seed)).maps for seed in (7, 7, 8)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_smoothgrad_is_the_mean_gradient_of_noisy_inputs() -> None:
    network, x = tiny(Linear)
    square = Network.from_module(Squared(network.module), size=SIZE, mean=(0, 0, 0), std=(1, 1, 1))
    noisy = attribute(square, x, method="smoothgrad", settings=MethodSettings(samples=400, noise=0.1)).maps
    plain = attribute(square, x, method="gradient").maps  # linear in the input, so the noise averages out
    assert close(noisy, plain, 0.05)


def test_more_steps_of_integrated_gradients_have_a_smaller_gap() -> None:
    network, x = tiny(Awkward)
    few, many = (
        attribute(network, x, method="integrated-gradients", targets=[2], settings=MethodSettings(steps=steps)).gaps
        for steps in (2, 200)
    )
    assert few[0] > many[0]


@pytest.mark.parametrize("layer", ["bn2", "conv_head", "blocks.3.1.bn1", "blocks.4"])
def test_grad_cam_is_the_papers_on_the_bundled_network(layer: str) -> None:
    network = lite0()
    x, _ = fit(read_photo(PHOTOS / "coffee.jpg"), network)
    kept: list[Tensor] = []
    hook = network.layers()[layer].register_forward_hook(lambda _, __, out: kept.append(out))
    logits = network(x.clone().requires_grad_())
    hook.remove()
    maps = kept[0]
    weights = torch.autograd.grad(logits[0, 967], maps)[0].mean((2, 3), keepdim=True)
    wanted = F.interpolate((weights * maps).sum(1, keepdim=True).relu(), network.size, mode="bilinear")[0]
    found = attribute(network, x, method="grad-cam", layer=layer)
    assert found.targets == (967,)
    assert close(found.maps, wanted.detach(), 1e-4)


def test_grad_cam_takes_a_layer_before_it_is_changed_in_place() -> None:
    network, x = tiny(Awkward)
    maps = network.module.conv1((x - network.mean) / network.std).detach().requires_grad_()
    y = F.max_pool2d(F.relu(maps), 3, 2, 1)
    y = y + network.module.conv2(y).clamp(0, 6) * 1.5
    logits = network.module.fc(network.module.conv3(y).clamp(0, 6).flatten(1))
    weights = torch.autograd.grad(logits[0, 3], maps)[0].mean((2, 3), keepdim=True)
    found = attribute(network, x, method="grad-cam", layer="conv1", targets=[3])
    assert close(found.maps, (weights * maps).sum(1).relu().detach())


@pytest.mark.parametrize("kind", [Rectified, Awkward])
def test_deeplift_is_complete_up_to_rounding(kind: type) -> None:
    network, x = tiny(kind)
    wanted = network(x)[0, 2] - network(torch.zeros_like(x))[0, 2]
    found = attribute(network, x, method="deeplift", targets=[2])
    assert abs(float(found.maps.double().sum() - wanted)) < 1e-5 * abs(float(wanted))


@pytest.mark.parametrize(
    ("method", "theirs"),
    [("guided", "GuidedBackprop"), ("deconvnet", "Deconvolution"), ("deeplift", "DeepLift")],
)
def test_captum_agrees_on_plain_modules(method: str, theirs: str) -> None:
    network, x = tiny(Rectified)
    ours = attribute(network, x, method=method, targets=[4]).maps[0]
    normal, black = ((v - network.mean) / network.std for v in (x, torch.zeros_like(x)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum warns of its hooks
        tool = getattr(captum.attr, theirs)(network.module)
        if method == "deeplift":
            values = tool.attribute(normal.requires_grad_(), black, target=4)
        else:
            values = tool.attribute(normal.requires_grad_(), target=4) / network.std
    assert close(ours, values.detach().sum(1)[0])


def test_where_deeplift_does_not_add_up_it_is_refused() -> None:
    network, x = tiny(Gated)
    with pytest.raises(MethodError, match=r"deeplift is not right on network here: .* by \d+%"):
        attribute(network, x, method="deeplift")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "densenet121", "squeezenet1_1"])
def test_deeplift_adds_up_where_captums_does_not(name: str) -> None:
    torch.manual_seed(0)
    module = getattr(torchvision.models, name)(weights=None)
    network = Network.from_module(module, size=(128, 128), mean=(0.5,) * 3, std=(0.25,) * 3)
    x, _ = fit(read_photo(PHOTOS / "coffee.jpg"), network)
    [gap] = attribute(network, x, method="deeplift").gaps
    assert gap < 1e-4


def test_layers_without_a_rule_are_named() -> None:
    network, x = tiny(Gated)
    with pytest.raises(InvalidRequest, match=r"guided has no rule for these layers of network: .*sigmoid"):
        attribute(network, x, method="guided")


def test_deeplift_of_a_probability_is_refused() -> None:
    network, x = tiny(Awkward)
    with pytest.raises(InvalidRequest, match="logit alone"):
        attribute(network, x, method="deeplift", score="probability")
