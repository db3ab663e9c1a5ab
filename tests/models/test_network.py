"""The Network itself: recipe, classes, devices, errors, folding. On networks whose answer is known by hand."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cnnviz
from cnnviz import Network, load_network
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models import catalog
from cnnviz.models.loader import pick_device, pick_dtype
from tests.support.networks import two_layers


class Sums(nn.Module):
    """Logits: the sum of each channel, and the sum of all."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        channels = x.sum((2, 3))
        return self.scale * torch.cat([channels, channels.sum(1, keepdim=True)], 1)


def sums(**options: Any) -> Network:
    return Network.from_module(Sums(), (2, 2), (0.1, 0.2, 0.3), (0.5, 0.25, 2.0), **options)


@pytest.fixture(scope="module")
def imagenet() -> Network:
    return Network.from_module(Sums(), (2, 2), (0, 0, 0), (1, 1, 1), catalog.imagenet_classes())


def test_the_input_is_normalised_by_channel_in_rgb():
    x = torch.full((2, 3, 2, 2), 0.6)
    by_hand = [4 * (0.6 - 0.1) / 0.5, 4 * (0.6 - 0.2) / 0.25, 4 * (0.6 - 0.3) / 2.0]
    logits = sums()(x)
    assert logits.shape == (2, 4)
    assert torch.allclose(logits, torch.tensor([*by_hand, sum(by_hand)]).expand(2, 4))


def test_an_input_of_the_means_gives_zero():
    x = torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    assert torch.equal(sums()(x), torch.zeros(1, 4))


def test_from_module_sets_evaluation_and_frees_the_parameters_of_gradients():
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Dropout(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = Network.from_module(module, (4, 6), (0.5,) * 3, (0.5,) * 3, ["cat", "dog"])
    assert network.size == (4, 6)
    assert not network.module.training
    x = torch.rand(1, 3, 4, 6, requires_grad=True)
    network(x).sum().backward()
    assert x.grad is not None
    assert module[0].weight.grad is None
    assert list(network.layers()) == ["0", "1", "2", "3"]


@pytest.mark.parametrize(("word", "index"), [("tabby", 281), ("TABBY ", 281), ("281", 281), ("0", 0), ("999", 999)])
def test_a_class_by_name_or_index(imagenet: Network, word: str, index: int):
    assert imagenet.class_index(word) == index


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("cardigan", "'cardigan' names 2 classes: 264, 474; give the index"),
        ("1000", "no class 1000: network has 1000, counted from 0"),
        ("tabbie", "no class is named 'tabbie'; did you mean tabby"),
        ("terrier", "no class is named 'terrier'; names with it: toy terrier, Staffordshire bullterrier, "),
        (
            "cat",
            "no class is named 'cat'; names with it: oystercatcher, tiger cat, Persian cat, Siamese cat, "
            "Egyptian cat, polecat and 2 more",
        ),
        ("qqqqqqqq", "no class is named 'qqqqqqqq'; see cnnviz classes WORD"),
        ("-1", "no class is named '-1'"),
        ("²", "no class is named '²'"),
    ],
)
def test_a_class_that_cannot_be_is_usage(imagenet: Network, word: str, words: str):
    with pytest.raises(InvalidRequest) as caught:
        imagenet.class_index(word)
    assert str(caught.value).startswith(words)


def test_names_of_ones_own():
    network = sums(classes=["Ja", "nein", "weiß nicht", "Ja"], name="mine")
    assert network.class_index("NEIN") == 1
    assert network.class_name(2) == "weiß nicht"
    with pytest.raises(InvalidRequest, match="names 2 classes: 0, 3"):
        network.class_index("ja")
    with pytest.raises(InvalidRequest, match=r"no class is named 'qqqq'$"):
        network.class_index("qqqq")
    with pytest.raises(InvalidRequest, match="no class 4: mine has 4, counted from 0"):
        network.class_index("4")


def test_without_names_an_index_is_all():
    assert sums().class_name(3) == "class 3"
    assert sums().class_index("3") == 3
    with pytest.raises(InvalidRequest, match="network has no class names: give an index"):
        sums().class_index("cat")


def test_top_is_the_softmax_best_first():
    best = sums(classes=list("abcd")).top(torch.tensor([0.0, 3.0, 1.0, 2.0]), 3)
    shares = torch.tensor([0.0, 3.0, 1.0, 2.0]).softmax(0).tolist()
    assert [(row.index, row.name) for row in best] == [(1, "b"), (3, "d"), (2, "c")]
    assert [row.probability for row in best] == pytest.approx([shares[1], shares[3], shares[2]], abs=1e-6)
    assert len(sums().top(torch.zeros(4), 9)) == 4


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_are_refused(value: float):
    with pytest.raises(MethodError, match="not finite"):
        sums().top(torch.tensor([0.0, value]))


def test_another_size_than_the_networks_is_a_method_error():
    network = Network.from_module(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), (2, 2), (0,) * 3, (1,) * 3)
    assert network(torch.zeros(1, 3, 2, 2)).shape == (1, 2)
    words = r"^network cannot take an input of 5x3 pixels \(its own is 2x2\): .*mat1"
    with pytest.raises(MethodError, match=words) as caught:
        network(torch.zeros(1, 3, 3, 5))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("module", "found"),
    [(nn.Conv2d(3, 2, 1), r"shape \(1, 2, 2, 2\)"), (nn.LSTM(2, 2), "tuple"), (nn.Flatten(0), r"shape \(12,\)")],
)
def test_what_is_no_classifier_is_told(module: nn.Module, found: str):
    if isinstance(module, nn.LSTM):
        module.forward = lambda x: (x, x)  # type: ignore[assignment,misc]
    network = Network.from_module(module, (2, 2), (0,) * 3, (1,) * 3)
    with pytest.raises(MethodError, match=f"no classifier: its output is {found}"):
        network(torch.zeros(1, 3, 2, 2))


def test_logits_inside_an_answer_are_found():
    class Answer:
        logits = torch.ones(1, 2)

    class Wrapped(nn.Module):
        def forward(self, x: Tensor) -> Answer:
            return Answer()

    assert torch.equal(
        Network.from_module(Wrapped(), (2, 2), (0,) * 3, (1,) * 3)(torch.zeros(1, 3, 2, 2)), Answer.logits
    )


def test_a_lack_of_memory_is_memory_error():
    class Huge(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.empty(1 << 46)

    with pytest.raises(MemoryError):
        Network.from_module(Huge(), (2, 2), (0,) * 3, (1,) * 3)(torch.zeros(1, 3, 2, 2))


def test_any_other_failure_at_the_own_size_is_left_as_it_is():
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        Network.from_module(Broken(), (2, 2), (0,) * 3, (1,) * 3)(torch.zeros(1, 3, 2, 2))


@pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet18", "densenet121", "googlenet", "mobilenet_v2"])
def test_folded_gives_the_same_logits_and_leaves_the_original_alone(name: str):
    from torchvision import models

    if name.startswith("efficientnet_lite"):
        network = load_network(name, device="cpu")
    else:
        options = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
        torch.manual_seed(0)
        module = models.get_model(name, weights=None, **options)
        for norm in module.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.running_mean.normal_(0, 0.1)
                norm.running_var.uniform_(0.5, 1.5)
        network = Network.from_module(module, (64, 64), (0.5,) * 3, (0.5,) * 3)
    before = {key: tensor.clone() for key, tensor in network.module.state_dict().items()}
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        whole, folded = network(x), network.folded(x)
    assert (whole - folded).abs().max() <= 1e-5 * whole.abs().max()
    after = network.module.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], before[key]) for key in before)
    count = sum(isinstance(child, nn.BatchNorm2d) for child in network.folded.module.modules())
    assert count < sum(isinstance(child, nn.BatchNorm2d) for child in network.module.modules())


@pytest.mark.parametrize(("dtype", "near"), [("float64", 1e-4), ("bfloat16", 1.0), ("float16", 0.1)])
def test_dtypes_give_the_same_answer_within_their_precision(dtype: str, near: float):
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    network = load_network(device="cpu", dtype=dtype)
    with torch.inference_mode():
        logits, plain = network(x), load_network(device="cpu")(x)
    assert next(network.module.parameters()).dtype == getattr(torch, dtype)
    assert logits.dtype == (torch.float64 if dtype == "float64" else torch.float32)
    assert (logits - plain).abs().max() <= near


@pytest.mark.parametrize("name", ["gpu", "cpu:", "cpu:1", "cuda:", "cuda:99", "cuda:²", "mps:3", "cpu:0:0", "", "CPU"])
def test_a_device_that_is_not_here_is_named_with_those_that_are(name: str):
    with pytest.raises(InvalidRequest, match=f"no device {name!r} here; there is cpu"):
        pick_device(name)


def test_devices_that_are_here():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("cpu:0").type == "cpu"
    best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert pick_device("auto").type == best


def test_a_dtype_that_is_none_is_named():
    assert pick_dtype("bfloat16") is torch.bfloat16
    for name in ("int8", "float33", "nn"):
        with pytest.raises(InvalidRequest, match=f"no floating-point type '{name}'"):
            pick_dtype(name)


def test_the_public_names():
    assert cnnviz.load_network is load_network
    assert cnnviz.Network is Network
    network = load_network("efficientnet_lite0", device="cpu")
    assert network.size == (224, 224)
    assert len(network.classes) == 1000
    assert network.weights == {
        "file": "efficientnet-lite0-57934424.pth",
        "sha256": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    }


def test_a_network_asked_in_inference_mode_can_be_differentiated_later():
    network = Network.from_module(torch.nn.Flatten(), size=(2, 2), mean=(0.1,) * 3, std=(0.5,) * 3)
    with torch.inference_mode():
        network(torch.rand(1, 3, 2, 2))
    x = torch.rand(1, 3, 2, 2, requires_grad=True)
    network(x).sum().backward()
    assert torch.allclose(x.grad, torch.full_like(x, 2))


def test_the_layers_with_maps_are_told_in_the_order_of_their_answers():
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = Network.from_module(module, (4, 6), (0.5,) * 3, (0.5,) * 3)
    assert network.map_layers((4, 6)) == ["0", "1"]
    with pytest.raises(MethodError, match="has no layer with feature maps"):
        sums().map_layers((2, 2))


def test_layers_have_a_depth_and_the_last_ones_a_class_for_each_channel():
    network = two_layers(classes=3)
    assert list(network.layer_infos) == ["deep.0", "deep.1", "deep", "pool", "flat", "last"]
    assert network.weighted_layers == ["deep.0", "last"]
    assert [network.depth(layer) for layer in ("deep.0", "flat", "last", "nowhere")] == [1, 1, 2, 0]
    assert [layer for layer in network.layer_infos if network.has_positions(layer)] == [
        "deep.0", "deep.1", "deep", "pool"
    ]  # fmt: skip
    assert [layer for layer in network.layer_infos if network.is_output(layer)] == ["last"]  # flat has 3 values too
    assert network.channel_class("last", 2) == "kind 2"
    assert network.channel_class("deep", 2) is None


def test_a_convolution_of_one_channel_for_each_class_is_an_output_with_all_after_it():
    """As in SqueezeNet: classes on a map, then their means."""
    parts = nn.Conv2d(3, 8, 1), nn.Sequential(nn.Conv2d(8, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)), nn.Flatten()
    network = Network.from_module(nn.Sequential(*parts), (4, 4), (0.0,) * 3, (1.0,) * 3, ["a", "b", "c", "d"])
    assert [layer for layer in network.layer_infos if network.is_output(layer)] == ["1.0", "1.1", "1.2", "1", "2"]
    assert not Network.from_module(nn.Flatten(), (2, 2), (0.0,) * 3, (1.0,) * 3).is_output("0")
