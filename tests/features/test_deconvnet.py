"""The deconvnet against transposed filters by hand, against captum where captum is right, and what it refuses."""

import warnings
from pathlib import Path

import captum.attr
import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from cnnviz import Network, fit, load_network, read_photo
from cnnviz.errors import InvalidRequest
from cnnviz.features.deconvnet import Deconvnet, deconvnet
from cnnviz.graph.receptive_field import layer_table
from tests.conftest import PHOTOS
from tests.support.hed_files import write_hed
from tests.support.networks import lite0


def wrap(module: nn.Module, size: tuple[int, int]) -> Network:
    return Network.from_module(module, size=size, mean=(0.2, 0.3, 0.4), std=(0.5, 0.25, 0.125))


class Two(nn.Module):
    """Two convolutions, a rectifier in place between them, and an answer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1 = nn.Conv2d(3, 4, 3, stride=2)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(4, 5, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.relu(self.conv1(x))).mean((2, 3))


@pytest.fixture(scope="module")
def two() -> tuple[Network, Tensor]:
    x = torch.rand(1, 3, 17, 21, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return wrap(Two().double(), (17, 21)), x


def test_one_convolution_is_conv_transpose2d_of_the_seeded_map(two: tuple[Network, Tensor]) -> None:
    network, x = two
    conv = network.module.conv1
    maps = conv((x - network.mean) / network.std)
    for channel in range(4):
        found = deconvnet(network, x, layer="conv1", channel=channel)
        place = int(maps[0, channel].argmax())
        assert found.position == divmod(place, maps.shape[-1])
        seed = torch.zeros_like(maps)
        seed[0, channel].view(-1)[place] = maps[0, channel].max().clamp(min=0)
        assert found.activation == pytest.approx(float(seed.sum()))
        wanted = F.conv_transpose2d(seed, conv.weight, stride=2, output_padding=(0, 0)) / network.std
        assert torch.allclose(found.projection, wanted, rtol=1e-12, atol=1e-15)


def test_it_is_linear_in_its_seed_and_zero_outside_the_receptive_field(two: tuple[Network, Tensor]) -> None:
    network, x = two
    seen = Deconvnet(network, x, "conv2")
    field = {layer.name: layer for layer in layer_table(network.module, (17, 21))}["conv2"]
    positive = (seen.maps > 0).nonzero().tolist()
    assert len(positive) > 20
    for channel, y, x_ in positive:
        found = seen.project(channel, (y, x_))
        top, left, bottom, right = field.box((y, x_), (17, 21))
        inside = torch.zeros(17, 21, dtype=torch.bool)
        inside[max(top, 0) : bottom, max(left, 0) : right] = True
        assert found.projection[..., ~inside].abs().max() == 0
    signals = [torch.zeros(1, *seen.maps.shape, dtype=torch.float64) for _ in range(2)]
    signals[0][0, 1, 2, 3], signals[1][0, 1, 2, 3] = 1, 2.5
    once, more = (seen.back(signal) for signal in signals)
    assert torch.allclose(2.5 * once, more, rtol=1e-12)


def test_the_strongest_maps_come_first_and_a_quiet_one_projects_nothing(two: tuple[Network, Tensor]) -> None:
    network, x = two
    seen = Deconvnet(network, x, "conv1")
    peaks = seen.maps.flatten(1).amax(1)
    assert seen.strongest(3) == sorted(range(4), key=lambda c: -float(peaks[c]))[:3]
    place = tuple((seen.maps[0] == seen.maps[0].min()).nonzero()[0].tolist())
    assert seen.maps[0][place] < 0
    quiet = seen.project(0, place)
    assert quiet.activation == 0
    assert quiet.projection.abs().max() == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"layer": "conv3", "channel": 0}, "has no layer 'conv3'"),
        ({"layer": "conv1", "channel": 4}, "channel 4: conv1 has 4, counted from 0"),
        ({"layer": "conv1", "channel": 0, "position": (8, 0)}, "the maps of conv1 have 8 rows and 10 columns"),
    ],
)
def test_wrong_words_are_told(two: tuple[Network, Tensor], words: dict, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        deconvnet(*two, **words)
    with pytest.raises(InvalidRequest, match="takes one input"):
        deconvnet(two[0], two[1].repeat(2, 1, 1, 1), layer="conv1", channel=0)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mobilenet_v3_small", r"features\.0\.2 \(hardswish\)"),
        ("efficientnet_b0", r"silu"),
        ("vit_b_16", r"native_layer_norm"),
        ("convnext_tiny", r"native_layer_norm"),
    ],
)
def test_a_network_without_a_rule_is_refused_by_name(name: str, kind: str) -> None:
    network = wrap(getattr(torchvision.models, name)(weights=None), (224, 224))
    x, last = torch.rand(1, 3, 224, 224), list(network.layers())[-1]
    for method in ("deconvnet", "guided"):
        with pytest.raises(
            InvalidRequest, match=rf"{method} has no rule: .*{kind}.* and \d+ more; --other-activations gradient"
        ):
            deconvnet(network, x, layer=last, channel=0, method=method)
    rule = deconvnet(network, x, layer=last, channel=0, other_activations="gradient")
    assert rule.projection.isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", "resnet18", "squeezenet1_0"])
@pytest.mark.parametrize(
    ("method", "theirs"), [("deconvnet", captum.attr.Deconvolution), ("guided", captum.attr.GuidedBackprop)]
)
def test_captum_agrees_where_captum_is_right(name: str, method: str, theirs: type) -> None:
    torch.manual_seed(0)
    module = getattr(torchvision.models, name)(weights=None)
    network = Network.from_module(module, size=(224, 224), mean=(0, 0, 0), std=(1, 1, 1))
    x = torch.rand(1, 3, 224, 224)
    last = list(network.layers())[-1]
    seen = Deconvnet(network, x, last, method)
    channel = seen.strongest(1)[0]
    signal = torch.zeros(1, *seen.maps.shape)
    signal[0, channel] = 1
    ours = seen.back(signal)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum tells of its hooks
        wanted = theirs(module).attribute(x.clone().requires_grad_(), target=channel)
    assert (ours - wanted).abs().max() <= 1e-6 * wanted.abs().max()


def test_it_is_right_where_captum_returns_the_plain_gradient() -> None:
    """ReLU6 and in-place functions: on the bundled network the projection differs from the gradient, as it must."""
    network = lite0()
    x, _ = fit(read_photo(PHOTOS / "chelsea.jpg"), network)
    layer = "blocks.2"
    found, plain = (deconvnet(network, x, layer=layer, channel=12, method=m) for m in ("deconvnet", "gradient"))
    assert found.activation == plain.activation > 0
    assert (found.projection - plain.projection).abs().max() > 0.1 * plain.projection.abs().max()


def test_channels_last_are_refused() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.last = nn.Conv2d(3, 5, 3), nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.conv(x).permute(0, 2, 3, 1)).mean((1, 2))

    with pytest.raises(InvalidRequest, match="channels last"):
        deconvnet(wrap(Last(), (9, 9)), torch.rand(1, 3, 9, 9), layer="last", channel=0)
    assert wrap(Last(), (9, 9)).map_layers((9, 9)) == ["conv"]


@pytest.mark.parametrize(("pool", "method"), [(nn.MaxPool2d(2), "deconvnet"), (nn.AvgPool2d(2), "guided")])
def test_the_default_is_the_deconvnet_in_a_network_with_max_pools_and_guided_in_others(pool, method) -> None:
    network = wrap(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), pool, nn.Flatten(), nn.Linear(36, 2)), (8, 8))
    x = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    found = deconvnet(network, x, layer="1", channel=0)
    assert found.method == method
    assert torch.equal(found.projection, deconvnet(network, x, layer="1", channel=0, method=method).projection)
    assert deconvnet(network, x, layer="1", channel=0, method="gradient").method == "gradient"


def by_hand(network: Network, x: Tensor, layer: str, channel: int) -> tuple[Tensor, tuple[int, int]]:
    """Section 2.1, written out: unpooling by switches, rectification, transposed filters, from the strongest unit."""
    signal, back, lines = (x - network.mean) / network.std, [], dict(network.module.named_children())
    for name, module in lines.items():
        if isinstance(module, nn.Conv2d):
            signal = module(signal)
            back.append(lambda r, w=module.weight: F.conv_transpose2d(r, w, padding=1))
        elif isinstance(module, nn.ReLU):
            signal = signal.relu()
            back.append(lambda r: r.relu())
        else:
            size = signal.shape[2:]
            signal, switches = F.max_pool2d(signal, 2, ceil_mode=True, return_indices=True)
            back.append(lambda r, s=switches, n=size: F.max_unpool2d(r, s, 2, output_size=n))
        if name == layer:
            break
    place = int(signal[0, channel].argmax())
    r = torch.zeros_like(signal)
    r[0, channel].view(-1)[place] = signal[0, channel].max().clamp(min=0)
    for step in back[::-1]:
        r = step(r)
    return r / network.std, divmod(place, signal.shape[3])


@pytest.mark.parametrize("layer", ["pool1", "relu3_2", "conv4_1", "pool4", "relu5_3"])
@pytest.mark.parametrize("size", [(64, 64), (45, 70)])
def test_max_pools_are_undone_by_their_switches(layer: str, size: tuple[int, int], tmp_path: Path) -> None:
    file = write_hed(tmp_path)
    network = load_network("hed_vgg16", weights_file=file, device="cpu", dtype="float64")
    x = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    seen = Deconvnet(network, x, layer)
    assert seen.switches == int(layer[-3] if layer[-2] == "_" else layer[-1]) - (layer[-2] == "_")
    for channel in seen.strongest(3):
        wanted, position = by_hand(network, x, layer, channel)
        found = seen.project(channel)
        assert found.position == position
        assert wanted.abs().max() > 0
        assert torch.allclose(found.projection, wanted, rtol=1e-9, atol=1e-12 * float(wanted.abs().max()))
