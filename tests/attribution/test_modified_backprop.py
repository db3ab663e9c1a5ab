"""Modified backward passes against captum where it is right, completeness of DeepLIFT, refusals."""

import warnings

import captum.attr
import pytest
import torch
import torchvision

from cnnviz import Network, fit, read_photo
from cnnviz.attribution.backprop import attribute
from cnnviz.errors import InvalidRequest, MethodError
from tests.conftest import PHOTOS
from tests.support.attribution_networks import Awkward, Gated, Rectified, close, tiny


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
