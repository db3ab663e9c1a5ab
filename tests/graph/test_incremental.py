"""Incremental evaluation against whole passes: random networks, families of classifiers, and what is refused."""

import contextlib
import random
import warnings

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from cnnviz.graph.fold_batchnorm import fold_batchnorm
from cnnviz.graph.incremental import Incremental
from cnnviz.graph.tape import UntraceableError

Box = tuple[int, int, int, int]
SIZES = [(37, 53), (61, 45), (75, 99)]


@pytest.fixture(autouse=True)
def _without_gradients():
    with torch.no_grad():
        yield


def uncover(x: Tensor, cover: Tensor, boxes: list[Box]) -> Tensor:
    """Return the really covered inputs, one for each box."""
    covered = x.repeat(len(boxes), 1, 1, 1)
    for row, (top, left, bottom, right) in zip(covered, boxes, strict=True):
        row[:, top:bottom, left:right] = cover[0, :, top:bottom, left:right]
    return covered


def pictures(size: tuple[int, int], seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return a picture and one to cover it with."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.rand(1, 3, *size, generator=generator, dtype=torch.float64) for _ in range(2))


def draw_boxes(draw: random.Random, size: tuple[int, int], count: int, largest: int = 13) -> list[Box]:
    """Return boxes of differing sizes anywhere, the first two in opposite corners."""
    sides = [(draw.randint(1, largest), draw.randint(1, largest)) for _ in range(count)]
    corners = [(draw.randint(0, size[0] - h), draw.randint(0, size[1] - w)) for h, w in sides]
    corners[:2] = [(0, 0), (size[0] - sides[1][0], size[1] - sides[1][1])]
    return [(y, x, y + h, x + w) for (y, x), (h, w) in zip(corners, sides, strict=True)]


def assert_exact(module: nn.Module, x: Tensor, cover: Tensor, boxes: list[Box]) -> Incremental:
    """Check the answers against those for the really covered inputs."""
    evaluate = Incremental(module, x, module)
    ours, whole = evaluate(cover, boxes)[0], module(uncover(x, cover, boxes))
    assert ours.shape == whole.shape
    assert whole.isfinite().all()
    assert (ours - whole).abs().max() <= 1e-9 * whole.abs().max()
    return evaluate


# Blocks that a random network is made of. Each takes a source of chance and the shape of what it is given.


def random_conv(draw: random.Random, c: int, h: int, w: int, out: int = 0, stride: int = 1) -> nn.Conv2d:
    """Return a convolution; one that keeps the map's size where ``stride`` is 1."""
    kernel = tuple(draw.choice([1, 3, 3, 5, 7]) for _ in range(2))
    dilation = tuple(draw.choice([1, 1, 2]) for _ in range(2))
    padding = tuple((k - 1) * d // 2 for k, d in zip(kernel, dilation, strict=True))
    out = out or draw.choice([4, 6, 8])
    groups = draw.choice([g for g in (1, 1, 2, c) if c % g == 0 and out % g == 0])
    return nn.Conv2d(c, out, kernel, stride, padding, dilation, groups, bias=draw.random() < 0.7)


def random_activation(draw: random.Random) -> nn.Module:
    kind = draw.choice([nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.LeakyReLU, nn.PReLU])
    return nn.PReLU(init=0.1) if kind is nn.PReLU else kind(inplace=draw.random() < 0.6)


def random_norm(draw: random.Random, c: int) -> nn.Module:
    if draw.random() < 0.5:
        return nn.Identity()
    norm = nn.BatchNorm2d(c, affine=draw.random() < 0.8)
    norm.running_mean.normal_(0, 0.2)
    norm.running_var.uniform_(0.5, 2)
    return norm


class Pad(nn.Module):
    """Asymmetric padding, also by another value than 0."""

    def __init__(self, draw, c, h, w):
        super().__init__()
        self.sides, self.value = [draw.randint(0, 3) for _ in range(4)], draw.choice([0.0, 0.7, -1.0])

    def forward(self, x):
        return F.pad(x, self.sides, value=self.value)


class Strided(nn.Sequential):
    """A convolution of any shape, with or without normalisation and activation."""

    def __init__(self, draw, c, h, w):
        kernel = draw.randint(1, 7), draw.randint(1, 7)
        out = draw.choice([4, 6, 8])
        padding = draw.randint(0, kernel[0] // 2), draw.randint(0, kernel[1] // 2)
        conv = nn.Conv2d(c, out, kernel, (draw.choice([1, 1, 2, 3]), draw.choice([1, 1, 2, 3])), padding)
        super().__init__(conv, random_norm(draw, out), random_activation(draw))


class Residual(nn.Module):
    """x + f(x), the sum activated."""

    def __init__(self, draw, c, h, w):
        super().__init__()
        self.inner = nn.Sequential(random_conv(draw, c, h, w, c), random_norm(draw, c), random_activation(draw))
        self.last, self.in_place = random_activation(draw), draw.random() < 0.5

    def forward(self, x):
        y = self.inner(x)
        y = y.add_(x) if self.in_place else x + y
        return self.last(y)


class Branches(nn.Module):
    """Several convolutions and a pool beside each other."""

    def __init__(self, draw, c, h, w):
        super().__init__()
        self.convs = nn.ModuleList(random_conv(draw, c, h, w, 2 * c if c < 3 else c // 2 * 2) for _ in range(2))
        self.pool = draw.choice([nn.MaxPool2d(3, 1, 1), nn.AvgPool2d(3, 1, 1), nn.Identity()])
        self.last = nn.Conv2d(2 * (2 * c if c < 3 else c // 2 * 2) + c, 6, 1)

    def forward(self, x):
        return self.last(torch.cat([self.pool(x), *(conv(x) for conv in self.convs)], 1))


class BeforeAndAfter(nn.Module):
    """What a convolution gives is looked at before it is activated in place, and after."""

    def __init__(self, draw, c, h, w):
        super().__init__()
        self.first, self.second = random_conv(draw, c, h, w, 4), random_conv(draw, 4, h, w, 4)
        self.joined = draw.random() < 0.5

    def forward(self, x):
        y = self.first(x)
        z = self.second(y)
        y.relu_()
        return torch.cat([y, z], 1) if self.joined else y + z


class Shuffle(nn.Module):
    """Half of the channels go through a convolution, then all are shuffled."""

    def __init__(self, draw, c, h, w):
        super().__init__()
        self.widen = nn.Conv2d(c, 8, 1)
        self.inner = nn.Sequential(random_conv(draw, 4, h, w, 4), random_activation(draw))

    def forward(self, x):
        one, two = self.widen(x).chunk(2, 1)
        y = torch.cat([one, self.inner(two)], 1)
        n, c, h, w = y.shape
        return y.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, -1, h, w)


def max_pool(draw, c, h, w):
    kernel = draw.randint(2, 4)
    return nn.MaxPool2d(
        kernel, draw.randint(1, 3), draw.randint(0, kernel // 2), draw.choice([1, 1, 2]), ceil_mode=draw.random() < 0.5
    )


def avg_pool(draw, c, h, w):
    kernel = draw.randint(2, 4), draw.randint(2, 4)
    return nn.AvgPool2d(
        kernel, draw.randint(1, 3), (draw.randint(0, kernel[0] // 2), draw.randint(0, kernel[1] // 2)),
        ceil_mode=draw.random() < 0.5, count_include_pad=draw.random() < 0.5,
        divisor_override=draw.choice([None, None, 5]),
    )  # fmt: skip


def response_norm(draw, c, h, w):
    return nn.LocalResponseNorm(3)


def bare_norm(draw, c, h, w):
    return nn.Sequential(random_norm(draw, c), nn.Hardswish())


BLOCKS = [Pad, Strided, Strided, Residual, Branches, BeforeAndAfter, Shuffle, max_pool, avg_pool, response_norm,
          bare_norm]  # fmt: skip


class Pooled(nn.Module):
    """Answers from the mean of a map."""

    def __init__(self, c):
        super().__init__()
        self.linear = nn.Linear(c, 5)

    def forward(self, x):
        return self.linear(x.mean((2, 3)))


class Drawn(nn.Sequential):
    """A random network."""

    def __init__(self, draw: random.Random, x: Tensor) -> None:
        super().__init__()
        for _ in range(draw.randint(3, 8)):
            block = draw.choice(BLOCKS)(draw, *x.shape[1:]).double().eval()
            for part in block.modules():
                if isinstance(part, nn.Conv2d):
                    nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if min(x.shape[-2:]) > 9:
                x = block(x.clone())
                self.append(block)
        flat = nn.Sequential(nn.Flatten(), nn.Linear(x[0].numel(), 5))
        mean = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(x.shape[1], 5))
        self.append(draw.choice([flat, mean, Pooled(x.shape[1])]).double())


@pytest.mark.parametrize("start", range(0, 200, 20))
def test_random_networks_answer_as_in_whole_passes(start):
    partial = moved = 0
    for seed in range(start, start + 20):
        draw = random.Random(seed)
        torch.manual_seed(seed)
        x, cover = pictures(draw.choice(SIZES), seed)
        module = Drawn(draw, x).eval()
        boxes = draw_boxes(draw, x.shape[-2:], 6)
        try:
            evaluate = assert_exact(module, x, cover, boxes)
        except Exception as error:
            raise AssertionError(f"seed {seed}, {tuple(x.shape)}, {boxes}: {module}") from error
        partial += evaluate.cost(boxes) < 0.9
        change = module(uncover(x, cover, boxes)) - module(x)
        moved += bool(change.abs().max() > 1e-5 * module(x).abs().max())
    assert partial >= 12  # or all of this could pass by computing everything whole
    assert moved >= 18


# Corners that chance seldom comes to. Each is what stands between two convolutions of 4 channels.


class Between(nn.Module):
    """A convolution, what is tested, another convolution, and the mean."""

    def __init__(self, inner, stride: int = 1, kernel: int = 3):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, kernel, stride), nn.Conv2d(4, 5, 3)
        self.single, self.wide = nn.Conv2d(4, 1, 1), nn.Conv2d(4, 4, 5)
        self.weights = nn.Parameter(torch.rand(1, 4, 1, 1))
        self.places = nn.Parameter(torch.rand(1, 1, 35, 51))
        self.inner = inner

    def forward(self, x):
        return self.last(self.inner(self, self.first(x))).mean((2, 3))


def pad_then_relu(net, y):
    return y + net.wide(F.pad(y, (2, 2, 2, 2)).relu_())


CORNERS = {
    "a padded map is activated in place, and the unpadded one used": pad_then_relu,
    "one channel is scaled into several": lambda net, y: net.single(y) * net.weights,
    "in place, by a value for each place": lambda net, y: y.mul_(net.places),
    "by a value for each place": lambda net, y: y * net.places,
    "a map that is the same for all inputs is joined": lambda net, y: torch.cat(
        [y[:, :3], net.places.expand(len(y), -1, -1, -1)], 1
    ),
    "a gate for each row": lambda net, y: y * F.avg_pool2d(y, (1, 51)).sigmoid(),
    "a gate for each row and one for each column": lambda net, y: (
        F.max_pool2d(y, (1, 51)) + F.max_pool2d(y, (35, 1)) + y
    ),
    "a gate for each channel": lambda net, y: y * y.mean((2, 3), keepdim=True).sigmoid(),
    "a gate that is expanded": lambda net, y: y * y.mean((2, 3), keepdim=True).sigmoid().expand_as(y),
    "a gate for each place": lambda net, y: y * net.single(y).sigmoid(),
    "one channel is taken out": lambda net, y: y + y[:, 0].unsqueeze(1) * y[:, 2:3],
    "a map and itself": lambda net, y: y * y + torch.cat([y, y], 1)[:, 1:5],
    "groups are normalised": lambda net, y: F.group_norm(y, 2),
    "channels are normalised": lambda net, y: F.layer_norm(y.permute(0, 2, 3, 1), (4,)).permute(0, 3, 1, 2),
    "rows are cut off": lambda net, y: y[:, :, 1:-2, 3:],
    "edges are repeated": lambda net, y: F.pad(y, (1, 2, 1, 0), mode="reflect"),
    "larger": lambda net, y: F.interpolate(y, scale_factor=2, mode="bilinear"),
    "mean pools of a map that they divide": lambda net, y: F.adaptive_avg_pool2d(y, (7, 17)),
    "mean pools of a map that they do not divide": lambda net, y: F.adaptive_avg_pool2d(y, (8, 9)),
    "softmax over channels": lambda net, y: y.softmax(1),
}


@pytest.mark.parametrize("corner", CORNERS)
def test_corners(corner):
    torch.manual_seed(0)
    module = Between(CORNERS[corner]).double()
    boxes = draw_boxes(random.Random(1), (37, 53), 6)
    for some in (boxes, [(14, 20, 20, 29)]):
        assert_exact(module, *pictures((37, 53)), some)


@pytest.mark.parametrize(("kernel", "stride"), [(1, 4), (2, 5), (4, 4)])
@pytest.mark.parametrize("side", [1, 2, 3])
def test_a_box_that_no_window_sees_changes_nothing(kernel, stride, side):
    torch.manual_seed(0)
    module = Between(lambda net, y: y, stride, kernel).double()
    for corner in range(38 - side, 40):  # the last rows of 39 are beyond the last window
        for size in ((39, 43), (43, 39)):
            top, left = (min(corner, s - side) for s in size)
            box = (top, left, top + side, left + side)
            assert_exact(module, *pictures(size), [box])
            assert_exact(module, *pictures(size), [box, (0, 0, side, side)])


FAMILIES = {
    "alexnet": (197, 263), "vgg11_bn": (96, 128), "resnet18": (197, 263), "resnext50_32x4d": (96, 128),
    "densenet121": (96, 128), "googlenet": (96, 128), "inception_v3": (139, 107), "mobilenet_v2": (96, 128),
    "mnasnet0_5": (97, 129), "shufflenet_v2_x0_5": (197, 263), "squeezenet1_1": (197, 263),
    "regnet_y_400mf": (96, 128), "efficientnet_b0": (96, 128), "convnext_tiny": (96, 128),
    "mobilenet_v3_small": (96, 128),
}  # fmt: skip


def family(name: str, size: tuple[int, int]) -> nn.Module:
    """Return a folded classifier of random weights, whose activations neither vanish nor explode."""
    torch.manual_seed(0)
    special = {"init_weights": False, "aux_logits": True} if name in ("googlenet", "inception_v3") else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torchvision.models.get_model(name, weights=None, **special).double()
    if special:
        module.aux_logits, module.AuxLogits, module.aux1, module.aux2 = False, None, None, None
    for child in module.modules():
        if isinstance(child, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(child.weight, nonlinearity="relu")
        elif isinstance(child, nn.BatchNorm2d):
            child.momentum = None
            child.reset_running_stats()
        elif isinstance(child, (nn.Dropout, torchvision.ops.StochasticDepth)):
            child.p = 0.0
    module.train()(torch.rand(2, 3, *size, dtype=torch.float64))
    return fold_batchnorm(module.eval())


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_families_answer_as_in_whole_passes(name):
    size = FAMILIES[name]
    boxes = draw_boxes(random.Random(0), size, 4, 33)
    evaluate = assert_exact(family(name, size), *pictures(size), boxes)
    if name not in ("convnext_tiny", "efficientnet_b0", "mobilenet_v3_small", "regnet_y_400mf"):
        assert evaluate.cost(boxes[:1]) < 0.95


@pytest.mark.slow
def test_a_transformer_is_answered_as_in_whole_passes_or_refused():
    torch.manual_seed(0)
    module = torchvision.models.vit_b_16(weights=None).double().eval()
    nn.init.normal_(module.heads.head.weight)
    with contextlib.suppress(UntraceableError):
        assert_exact(module, *pictures((224, 224)), draw_boxes(random.Random(0), (224, 224), 2, 33))


class Watched(nn.Module):
    """Layers before and after normalisation, activation in place, a pool and a part that nothing comes from."""

    def __init__(self):
        super().__init__()
        self.same = nn.Identity()
        self.conv, self.norm, self.relu = nn.Conv2d(3, 6, 3, 2), nn.BatchNorm2d(6), nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.late = nn.Sequential(nn.Conv2d(6, 4, 5, padding=2), nn.LeakyReLU(inplace=True))
        self.bare = nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU(inplace=True))
        self.head = nn.Linear(4, 5)
        self.unused = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        x = self.bare(self.late(self.pool(self.relu(self.norm(self.conv(self.same(x)))))))
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize(
    "layer", ["same", "conv", "norm", "relu", "pool", "late.0", "late", "late.1", "bare.0", "bare"]
)
def test_sums_are_those_of_whole_passes(layer):
    torch.manual_seed(0)
    module = Watched().double().eval()
    module.norm.running_var.fill_(0.3)
    x, cover = pictures((61, 45))
    boxes = draw_boxes(random.Random(0), (61, 45), 7)
    seen: list[Tensor] = []
    handle = module.get_submodule(layer).register_forward_hook(lambda _m, _i, out: seen.append(out.clone()))
    whole = module(uncover(x, cover, boxes))
    handle.remove()
    channels = seen[0].double().sum((-2, -1))
    evaluate = Incremental(module, x, module, layer)
    for channel in range(channels.shape[1]):
        logits, sums = evaluate(cover, boxes, channel)
        torch.testing.assert_close(sums, channels[:, channel], rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(logits, whole, rtol=1e-9, atol=1e-12)


def test_the_same_answers_twice_and_nothing_is_changed():
    torch.manual_seed(0)
    module = Watched().double().eval()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    x, cover = pictures((61, 45))
    kept = x.clone(), cover.clone()
    evaluate = Incremental(module, x, module, "pool")
    clean = [t.clone() for t in evaluate.tape.clean]
    boxes = draw_boxes(random.Random(0), (61, 45), 7)
    first, other, again = evaluate(cover, boxes), evaluate(cover, boxes[:3]), evaluate(cover, boxes)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    torch.testing.assert_close(other[0], first[0][:3], rtol=1e-9, atol=1e-12)
    assert torch.equal(x, kept[0])
    assert torch.equal(cover, kept[1])
    assert all(a.is_meta or torch.equal(a, b) for a, b in zip(evaluate.tape.clean, clean, strict=True))
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())


def test_an_input_that_the_network_changes_in_place():
    class Centred(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 5, 3)

        def forward(self, x):
            return self.conv(x.sub_(0.5).mul_(2)).mean((2, 3))

    module, (x, cover) = Centred().double(), pictures((37, 53))
    boxes = draw_boxes(random.Random(0), (37, 53), 3)
    whole = module(uncover(x, cover, boxes))
    try:
        ours = Incremental(module, x.clone(), module)(cover, boxes)[0]
    except UntraceableError:
        return
    torch.testing.assert_close(ours, whole, rtol=1e-9, atol=1e-12)


def a_view_in_place(net, y):
    y[:, :2].relu_()
    return y


def a_part_written(net, y):
    y[:, :2] = 0
    return y


def a_tensor_filled(net, y):
    return torch.zeros_like(net.places).expand(1, 4, -1, -1).clone().add_(y)


def a_decision(net, y):
    return y if y.sum() > 0 else -y


@pytest.mark.parametrize("inner", [a_view_in_place, a_part_written, a_tensor_filled, a_decision])
def test_what_a_recording_cannot_stand_for_is_refused(inner):
    module, (x, _) = Between(inner).double(), pictures((37, 53))
    with pytest.raises(UntraceableError):
        Incremental(module, x, module)


def test_an_answer_that_is_not_from_the_input_is_refused():
    module, (x, _) = Between(lambda net, y: y).double(), pictures((37, 53))
    for function in (lambda x: torch.ones(1, 5), lambda x: {"logits": module(x)}, lambda x: (module(x), None)):
        with pytest.raises(UntraceableError, match="output"):
            Incremental(function, x, module)


def test_costs_from_one_walk_are_those_of_boxes_alone_until_a_map_is_whole():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.AvgPool2d(2), nn.Flatten())
    module.double()
    evaluate = Incremental(module, *pictures((64, 96))[:1], module)
    boxes = draw_boxes(random.Random(0), (64, 96), 12)
    assert evaluate.costs(boxes) == pytest.approx([evaluate.cost([box]) for box in boxes])
    boxes.append((0, 0, 64, 96))
    assert max(evaluate.costs(boxes)) == pytest.approx(evaluate.cost(boxes[-1:]))
