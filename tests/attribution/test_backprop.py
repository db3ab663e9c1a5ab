"""Attribution against closed forms of a linear network, against autograd and captum, and what it refuses."""

import warnings

import captum.attr
import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from cnnviz import Network, fit, load_network, read_photo
from cnnviz.attribution.backprop import attribute
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.catalog import ATTRIBUTIONS
from tests.conftest import PHOTOS

SIZE = (10, 12)


class Linear(nn.Module):
    """A convolution of 1 x 1 and a mean: linear, and with maps for Grad-CAM."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 1), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(x).mean((2, 3)))


class Rectified(nn.Module):
    """Two convolutions with rectifiers as modules, none in place, used once each: as captum wants them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.relu1 = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU()
        self.conv2, self.relu2 = nn.Conv2d(6, 8, 3, stride=2), nn.ReLU()
        self.pool, self.fc = nn.AvgPool2d(2), nn.LazyLinear(5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu2(self.conv2(self.relu1(self.conv1(x))))
        return self.fc(self.pool(y).flatten(1))


class Awkward(nn.Module):
    """The same with what captum's hooks miss: functions, in place, ReLU6, a max pool, one module used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = (nn.Conv2d(c, 6, 3, padding=1) for c in (3, 6, 6))
        self.act, self.fc = nn.ReLU6(inplace=True), nn.LazyLinear(5)

    def forward(self, x: Tensor) -> Tensor:
        y = F.max_pool2d(F.relu(self.conv1(x), inplace=True), 3, 2, 1)
        y = y + self.act(self.conv2(y)) * 1.5
        return self.fc(self.act(self.conv3(y)).flatten(1))


class Gated(Awkward):
    """One map times another: not linear, and no rule for differences."""

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(
            (self.conv1(x).sigmoid() * self.conv1(x)[..., :5, :6].mean((2, 3), True))[..., :5, :6].flatten(1)
        )


def made(kind: type[nn.Module]) -> tuple[Network, Tensor]:
    torch.manual_seed(0)
    module, x = kind().double(), torch.rand(1, 3, *SIZE, dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module(x)  # lazy layers take their shape
    return Network.from_module(module, size=SIZE, mean=(0.2, 0.3, 0.4), std=(0.5, 0.25, 0.125)), x


def near(found: Tensor, wanted: Tensor, part: float = 1e-6) -> bool:
    return bool((found - wanted).abs().max() <= part * wanted.abs().max())


def test_every_method_has_its_closed_form_on_a_linear_network() -> None:
    network, x = made(Linear)
    conv, fc = network.module.conv, network.module.fc
    places, targets = SIZE[0] * SIZE[1], [3, 1]
    slope = ((fc.weight @ conv.weight[..., 0, 0]) / network.std.view(3) / places)[targets]  # (2, 3), at every place
    times_input = torch.einsum("tc,chw->thw", slope, x[0])
    flat = torch.ones(2, *SIZE, dtype=torch.float64)
    maps = conv((x - network.mean) / network.std)
    wanted = {
        "gradient": slope.abs().amax(1)[:, None, None] * flat,
        "smoothgrad": slope.abs().amax(1)[:, None, None] * flat,
        "guided": slope.sum(1)[:, None, None] * flat,
        "deconvnet": slope.sum(1)[:, None, None] * flat,
        "gradient-x-input": times_input,
        "integrated-gradients": times_input,
        "deeplift": times_input,
        "grad-cam": torch.einsum("tk,khw->thw", fc.weight[targets] / places, maps[0]).relu(),
    }
    wanted["guided-grad-cam"] = wanted["grad-cam"] * wanted["guided"]
    assert set(wanted) == set(ATTRIBUTIONS)
    for method, values in wanted.items():
        found = attribute(network, x, method=method, targets=targets)
        assert found.targets == (3, 1)
        assert near(found.maps, values), method
        assert found.signed or found.maps.min() >= 0
        assert (found.layer == "conv") == ("cam" in method)
        assert found.gaps is None or max(found.gaps) < 1e-6


@pytest.mark.parametrize("kind", [Rectified, Awkward])
def test_what_promises_to_be_complete_is(kind: type[nn.Module]) -> None:
    network, x = made(kind)
    wanted = network(x)[0, 2] - network(torch.zeros_like(x))[0, 2]
    exact = attribute(network, x, method="deeplift", targets=[2])
    assert abs(float(exact.maps.double().sum() - wanted)) < 1e-5 * abs(float(wanted))
    many = attribute(network, x, method="integrated-gradients", targets=[2], steps=200)
    assert abs(float(many.maps.double().sum() - wanted)) < 1e-3 * float(many.maps.abs().sum())
    few = attribute(network, x, method="integrated-gradients", targets=[2], steps=2)
    assert few.gaps[0] > many.gaps[0]


@pytest.mark.parametrize(
    ("method", "theirs"),
    [("guided", "GuidedBackprop"), ("deconvnet", "Deconvolution"), ("deeplift", "DeepLift")],
)
def test_captum_agrees_on_plain_modules(method: str, theirs: str) -> None:
    network, x = made(Rectified)
    ours = attribute(network, x, method=method, targets=[4]).maps[0]
    normal, black = ((v - network.mean) / network.std for v in (x, torch.zeros_like(x)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum tells of its hooks
        tool = getattr(captum.attr, theirs)(network.module)
        if method == "deeplift":
            values = tool.attribute(normal.requires_grad_(), black, target=4)
        else:
            values = tool.attribute(normal.requires_grad_(), target=4) / network.std
    assert near(ours, values.detach().sum(1)[0])


def test_the_gradient_is_autograds_of_either_score() -> None:
    network, x = made(Awkward)
    for score in ("logit", "probability"):
        leaf = x.clone().requires_grad_()
        scores = network(leaf) if score == "logit" else network(leaf).softmax(1)
        slope = torch.autograd.grad(scores[0, 1], leaf)[0]
        found = {m: attribute(network, x, method=m, targets=[1], score=score) for m in ("gradient", "gradient-x-input")}
        assert near(found["gradient"].maps, slope.abs().amax(1))
        assert near(found["gradient-x-input"].maps, (slope * x).sum(1))


def test_smoothgrad_without_noise_is_the_gradient_and_its_seed_is_its_own() -> None:
    network, x = made(Awkward)
    plain = attribute(network, x, method="gradient").maps
    assert near(attribute(network, x, method="smoothgrad", noise=0, samples=3).maps, plain)
    state = torch.random.get_rng_state()
    one, again, other = (attribute(network, x, method="smoothgrad", seed=seed).maps for seed in (7, 7, 8))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_smoothgrad_is_the_mean_gradient_of_noisy_inputs() -> None:
    network, x = made(Linear)
    square = Network.from_module(Squared(network.module), size=SIZE, mean=(0, 0, 0), std=(1, 1, 1))
    noisy = attribute(square, x, method="smoothgrad", samples=400, noise=0.1).maps
    plain = attribute(square, x, method="gradient").maps  # linear in the input, so the noise averages out
    assert near(noisy, plain, 0.05)


class Squared(nn.Module):
    """A network whose derivative is linear in its input."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x).square()


@pytest.mark.parametrize("layer", ["bn2", "conv_head", "blocks.3.1.bn1", "blocks.4"])
def test_grad_cam_is_the_papers_on_the_bundled_network(layer: str) -> None:
    network = load_network("efficientnet_lite0", device="cpu")
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
    assert near(found.maps, wanted.detach(), 1e-4)


def test_grad_cam_takes_a_layer_before_it_is_changed_in_place() -> None:
    network, x = made(Awkward)
    maps = network.module.conv1((x - network.mean) / network.std).detach().requires_grad_()
    y = F.max_pool2d(F.relu(maps), 3, 2, 1)
    y = y + network.module.conv2(y).clamp(0, 6) * 1.5
    logits = network.module.fc(network.module.conv3(y).clamp(0, 6).flatten(1))
    weights = torch.autograd.grad(logits[0, 3], maps)[0].mean((2, 3), keepdim=True)
    found = attribute(network, x, method="grad-cam", layer="conv1", targets=[3])
    assert near(found.maps, (weights * maps).sum(1).relu().detach())


def test_where_deeplift_does_not_add_up_it_is_refused() -> None:
    network, x = made(Gated)
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


@pytest.mark.parametrize("method", sorted(ATTRIBUTIONS))
def test_a_black_photo_is_no_trouble(method: str) -> None:
    network, x = made(Awkward)
    assert attribute(network, x * 0, method=method, targets=[1], steps=3, samples=2).maps.isfinite().all()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"method": "grad-cma"}, "did you mean grad-cam"),
        ({"method": "lrp"}, "take one of gradient, "),
        ({"method": "grad-cam", "layer": "conv"}, "has no layer 'conv'; did you mean conv3 or conv2"),
        ({"method": "grad-cam", "layer": "fc"}, "layer fc of network gives no feature maps"),
        ({"method": "gradient", "targets": [5]}, "has 5, counted from 0"),
        ({"method": "gradient", "score": "loss"}, "take one of logit, probability"),
        ({"method": "deeplift", "score": "probability"}, "logit alone"),
        ({"method": "smoothgrad", "samples": 0}, "at least 1 of samples"),
    ],
)
def test_wrong_words_are_told(words: dict, told: str) -> None:
    network, x = made(Awkward)
    with pytest.raises(InvalidRequest, match=told):
        attribute(network, x, **words)


def test_what_guided_has_no_rule_for_is_named() -> None:
    network, x = made(Gated)
    with pytest.raises(InvalidRequest, match=r"guided has no rule for these layers of network: .*sigmoid"):
        attribute(network, x, method="guided")
