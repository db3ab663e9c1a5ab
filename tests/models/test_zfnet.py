"""ZFNet against figure 3 of its paper, and the public ONNX file's form against onnx's own evaluator."""

import torch

from cnnviz.models.zfnet import PAPER, ZOO, ZFNet, build

ORDER = [
    *("conv1", "relu1", "pool1", "norm1", "conv2", "relu2", "pool2", "norm2"),
    *("conv3", "relu3", "conv4", "relu4", "conv5", "relu5", "pool5"),
    *("fc6", "relu6", "drop6", "fc7", "relu7", "drop7", "fc8"),
]
TINY = {"conv1": 4, "conv2": 5, "conv3": 6, "conv4": 7, "conv5": 8, "fc6": 9, "fc7": 10}
CLASSES = 11


def shapes(widths: dict[str, int], classes: int) -> dict[str, tuple[int, ...]]:
    w1, w2, w3, w4, w5, f6, f7 = widths.values()
    return {
        "conv1": (w1, 3, 7, 7),
        "conv2": (w2, w1, 5, 5),
        "conv3": (w3, w2, 3, 3),
        "conv4": (w4, w3, 3, 3),
        "conv5": (w5, w4, 3, 3),
        "fc6": (f6, w5 * 36),
        "fc7": (f7, f6),
        "fc8": (classes, f7),
    }


def blank_state(widths: dict[str, int], classes: int = 1000) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": torch.empty(shape, device="meta") for name, shape in shapes(widths, classes).items()}


def maps_of(net: ZFNet) -> dict[str, tuple[int, ...]]:
    """Return every layer's output shape for one image, in the order in which the layers ran."""
    seen: dict[str, tuple[int, ...]] = {}
    for name, module in net.named_children():
        module.register_forward_hook(lambda _m, _i, out, name=name: seen.__setitem__(name, tuple(out.shape)))
    net.eval()(torch.empty(1, 3, 224, 224, device="meta"))
    return seen


def parameters(net: ZFNet) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def test_sizes_are_those_of_figure_3():
    with torch.device("meta"):
        seen = maps_of(ZFNet())
    assert list(seen) == ORDER
    assert [seen[name] for name in ("conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "conv5", "pool5")] == [
        (1, 96, 110, 110),
        (1, 96, 55, 55),
        (1, 256, 26, 26),
        (1, 256, 13, 13),
        (1, 384, 13, 13),
        (1, 384, 13, 13),
        (1, 256, 13, 13),
        (1, 256, 6, 6),
    ]
    assert [seen[name] for name in ("fc6", "fc7", "fc8")] == [(1, 4096), (1, 4096), (1, 1000)]


def test_parameters_by_hand():
    with torch.device("meta"):
        net, public = ZFNet(), build(blank_state(ZOO), 1000)
    layers = [
        96 * (3 * 49 + 1),
        256 * (96 * 25 + 1),
        384 * (256 * 9 + 1),
        384 * (384 * 9 + 1),
        256 * (384 * 9 + 1),
        4096 * (9216 + 1),
        4096 * (4096 + 1),
        1000 * (4096 + 1),
    ]
    assert parameters(net) == sum(layers) == 62_357_608
    # The public files are 3,228 to 3,357 bytes larger than their float32 numbers.
    assert parameters(public) == (349_005_372 - 3_228) // 4 == 87_250_536


def test_norm_is_krizhevskys():
    x = torch.rand(2, 7, 3, 3, generator=torch.Generator().manual_seed(0)) * 200
    wanted = torch.empty_like(x)
    for channel in range(7):
        near = x[:, max(0, channel - 2) : channel + 3]
        wanted[:, channel] = x[:, channel] / (2 + 1e-4 * (near**2).sum(1)) ** 0.75
    norm = ZFNet((7, 1, 1, 1, 1), 1, hidden=(1, 1)).norm1
    assert torch.allclose(norm(x), wanted, rtol=1e-5)


def test_relu_leaves_its_input_alone_and_dropout_is_for_training():
    net = ZFNet((2, 2, 2, 2, 2), 3, hidden=(4, 4))
    assert not any(module.inplace for module in net.modules() if isinstance(module, torch.nn.ReLU))
    assert net.drop6.p == net.drop7.p == 0.5
    x = torch.rand(2, 3, 224, 224)
    assert torch.equal(net.eval()(x), net(x))


def test_build_takes_the_widths_of_a_state_dict():
    wide = PAPER | {"conv3": 512, "conv4": 1024, "conv5": 512}
    with torch.device("meta"):
        nets = [build(None, 1000), build({}, 7), build(blank_state(wide, 20), 20)]
    assert [parameters(net) for net in nets[:2]] == [62_357_608, 62_357_608 - 993 * 4097]
    assert {f"{name}.weight": module.weight.shape for name, module in nets[2].named_children() if name in wide} == {
        f"{name}.weight": shapes(wide, 20)[name] for name in wide
    }
    assert maps_of(nets[2])["pool1"] == (1, 96, 55, 55)


def test_build_gives_the_public_weights_their_own_form():
    with torch.device("meta"):
        seen = maps_of(build(blank_state(ZOO), 1000))
    sizes = {name: shape[-1] for name, shape in seen.items()}
    assert list(seen)[2:4] == ["norm1", "pool1"]
    # The sizes that a published table of the file's layers gives.
    assert [sizes[name] for name in ("conv1", "pool1", "conv2", "pool2", "conv5", "pool5")] == [109, 54, 25, 12, 12, 6]
    assert (seen["fc7"], seen["fc8"]) == ((1, 1024), (1, 1000))
