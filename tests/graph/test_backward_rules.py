"""Signals back through a network: every spelling of a rectifier alike, switches, gates, and what has no rule."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnviz.graph.backward_rules import Method, UndefinedError, deeplift_rules, replay
from cnnviz.graph.tape import UntraceableError, record

METHODS: list[Method] = ["deconvnet", "guided", "gradient"]


def seeded(*sizes: int, seed: int = 0) -> Tensor:
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def back(
    network: nn.Module, x: Tensor, method: Method = "deconvnet", rule=None, signal: Tensor | None = None
) -> Tensor:
    """Return the signal at the input for a signal at the answer, by default a fixed random one."""
    tape = record(network, x, network, whole=True)
    played = replay(tape, tape.output, method, rule)
    assert torch.equal(played.out, network(x))
    return played.back(seeded(*played.out.shape, seed=5) if signal is None else signal)


class Spelt(nn.Module):
    """Two convolutions and a skip around a rectifier that is spelt in one of many ways."""

    def __init__(self, rectify) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.second = (nn.Conv2d(3, 3, 3, padding=1).double().requires_grad_(False) for _ in range(2))
        self.rectify = rectify

    def forward(self, x: Tensor) -> Tensor:
        kept = self.rectify(self.first(x))
        return self.rectify(self.second(kept) + kept)


SPELLINGS = {
    "module": nn.ReLU(),
    "module in place": nn.ReLU(inplace=True),
    "function": F.relu,
    "function in place": lambda x: F.relu(x, inplace=True),
    "torch.relu_": torch.relu_,
    "method": lambda x: x.relu(),
    "clamp": lambda x: x.clamp(min=0),
    "clamp in place": lambda x: x.clamp_(min=0),
    "clamp_min": lambda x: torch.clamp_min(x, 0),
    "threshold": nn.Threshold(0, 0),
    "hardtanh": nn.Hardtanh(0, 1e9),
    "relu6 far above": lambda x: F.relu6(x / 1e6) * 1e6,
    "two clamps": lambda x: x.clamp(min=0).clamp(max=1e9),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spelling", list(SPELLINGS)[1:])
def test_every_spelling_of_a_rectifier_gives_the_same(spelling: str, method: Method) -> None:
    x = seeded(1, 3, 9, 11)
    plain, other = (back(Spelt(SPELLINGS[name]), x, method) for name in ("module", spelling))
    assert plain.abs().max() > 0
    assert torch.equal(plain, other) if "relu6" not in spelling else torch.allclose(plain, other, rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("in_place", [False, True])
def test_relu6_spelt_as_module_function_and_clamp(method: Method, in_place: bool) -> None:
    x = 9 * seeded(1, 3, 9, 11)
    spellings = [
        nn.ReLU6(in_place),
        lambda t: F.relu6(t, in_place),
        nn.Hardtanh(0, 6, in_place),
        lambda t: t.clamp(0, 6),
    ]
    found = [back(Spelt(one), x, method) for one in spellings]
    assert all(torch.equal(found[0], other) for other in found[1:])
    by_hand = Spelt(nn.ReLU6())
    if method == "gradient":
        x.requires_grad_()
        out = by_hand(x)
        assert torch.allclose(found[0], torch.autograd.grad(out, x, seeded(*out.shape, seed=5))[0], rtol=1e-12)


def test_a_stack_against_switches_and_transposed_filters() -> None:
    """Overlapping pools, batch normalisation, strides: against the paper's way, written out."""
    torch.manual_seed(2)
    conv1, conv2 = nn.Conv2d(3, 8, 5, stride=2, padding=1), nn.Conv2d(8, 6, 3, padding=1, groups=2, bias=False)
    norm = nn.BatchNorm2d(8)
    norm.running_mean, norm.running_var = seeded(8), seeded(8, seed=1) ** 2 + 0.1
    norm.weight.data, norm.bias.data = seeded(8, seed=2), seeded(8, seed=3)
    net = (
        nn.Sequential(conv1, norm, nn.ReLU(), nn.MaxPool2d(3, 2, 1), conv2, nn.ReLU())
        .double()
        .eval()
        .requires_grad_(False)
    )
    x, signal = seeded(1, 3, 41, 37), seeded(1, 6, 10, 9, seed=4)
    before = net[:3](x)
    _, switches = F.max_pool2d(before, 3, 2, 1, return_indices=True)
    down = F.conv_transpose2d(signal.clamp(min=0), conv2.weight, padding=1, groups=2)
    unpooled = torch.zeros(8, before[0, 0].numel(), dtype=torch.float64)
    for place in range(down[0, 0].numel()):  # windows overlap: what falls on one place is summed
        for channel in range(8):
            unpooled[channel, switches[0, channel].flatten()[place]] += down[0, channel].flatten()[place]
    rectified = unpooled.view_as(before).clamp(min=0)
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    over = [(x.shape[-2 + i] + 2 - 5) % 2 for i in range(2)]
    wanted = F.conv_transpose2d(
        rectified * scale.view(1, -1, 1, 1), conv1.weight, stride=2, padding=1, output_padding=over
    )
    assert (back(net, x, signal=signal) - wanted).abs().max() <= 1e-12 * wanted.abs().max()


def test_a_rectifier_before_a_skip_is_not_gated_by_the_way_forward() -> None:
    """Pre-activation: the tensor that is rectified also feeds the skip, so hooks on modules in place go wrong."""

    class Pre(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(3)
            self.conv = nn.Conv2d(3, 3, 3, padding=1, bias=False).double().requires_grad_(False)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.conv(F.relu(x))

    net, x, signal = Pre(), seeded(1, 3, 8, 8), seeded(1, 3, 8, 8, seed=1)
    wanted = signal + F.conv_transpose2d(signal, net.conv.weight, padding=1).clamp(min=0)
    assert torch.allclose(back(net, x, signal=signal), wanted, rtol=1e-12)


class Gated(nn.Module):
    def __init__(self, expand: bool) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.conv, self.gate = (nn.Conv2d(3, 3, size).double().requires_grad_(False) for size in (3, 1))
        self.expand = expand

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        factor = F.silu(self.gate(x.mean((2, 3), keepdim=True))).sigmoid()
        return (factor.expand_as(x) if self.expand else factor) * x


@pytest.mark.parametrize("expand", [False, True])
def test_a_gate_is_a_constant_and_is_told(expand: bool) -> None:
    net, x, signal = Gated(expand), seeded(1, 3, 8, 8), seeded(1, 3, 6, 6, seed=1)
    tape = record(net, x, net, whole=True)
    played = replay(tape, tape.output, "deconvnet")
    inner = net.conv(x)
    factor = F.silu(net.gate(inner.mean((2, 3), keepdim=True))).sigmoid()
    assert len(played.gates) == 1
    assert torch.allclose(played.back(signal), F.conv_transpose2d(signal * factor, net.conv.weight), rtol=1e-12)


def test_contrast_normalisation_is_passed_over_and_told() -> None:
    net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.LocalResponseNorm(5)).double().requires_grad_(False)
    x, signal = seeded(1, 3, 8, 8), seeded(1, 6, 6, 6, seed=1)
    tape = record(net, x, net, whole=True)
    played = replay(tape, tape.output, "deconvnet")
    assert played.skipped == ["1"]
    assert torch.allclose(played.back(signal), F.conv_transpose2d(signal, net[0].weight), rtol=1e-12)


@pytest.mark.parametrize(
    "layer",
    [nn.LeakyReLU(), nn.SiLU(), nn.GELU(), nn.Hardswish(), nn.GroupNorm(1, 4), nn.InstanceNorm2d(4), nn.Softmax(1)],
    ids=lambda layer: type(layer).__name__,
)
def test_what_has_no_rule_is_named(layer: nn.Module) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(layer), nn.Conv2d(4, 2, 3)).double().requires_grad_(False)
    x = seeded(1, 3, 9, 9)
    with pytest.raises(UndefinedError) as refused:
        back(net, x)
    assert all(where.startswith("1.0 (") for where in refused.value.where)
    x.requires_grad_()
    out = net(x)
    gradient = torch.autograd.grad(out, x, seeded(*out.shape, seed=5))[0]
    assert torch.allclose(back(net, x.detach(), rule="gradient"), gradient, rtol=1e-9, atol=1e-12)


def test_rectify_takes_an_activation_for_a_rectifier() -> None:
    torch.manual_seed(6)
    first, second = (nn.Conv2d(3, 3, 3).double().requires_grad_(False) for _ in range(2))
    x = seeded(1, 3, 9, 9)
    soft, hard = (back(nn.Sequential(first, middle, second), x, rule="rectify") for middle in (nn.SiLU(), nn.ReLU()))
    assert torch.equal(soft, hard)


def test_a_saturated_unit_is_excited_but_has_no_gradient() -> None:
    x, signal = torch.full((1, 3, 2, 2), 9.0).double(), torch.ones(1, 3, 2, 2).double()
    found = {method: back(nn.Sequential(nn.Identity(), nn.ReLU6()), x, method, signal=signal) for method in METHODS}
    assert torch.equal(found["deconvnet"], signal)
    assert torch.equal(found["guided"], signal)
    assert found["gradient"].abs().max() == 0


# DeepLIFT: differences add up


def attributed(network, x: Tensor, black: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the attribution of the answers' sum, and the answers for both."""
    tapes = [record(network, one, whole=True) for one in (x, black)]
    answers = [tape.clean[tape.output.index] for tape in tapes]
    back = deeplift_rules(*tapes, tapes[0].output)
    return back(torch.ones_like(answers[0])) * (x - black), *answers


@pytest.mark.parametrize("act", [F.relu, F.relu6, F.silu, F.elu, F.hardswish, torch.sigmoid, nn.ReLU(inplace=True),
                                 lambda x: x.clamp(-0.5, 0.5), lambda x: F.leaky_relu(x, 0.1)])  # fmt: skip
def test_an_operator_place_by_place_gives_its_quotient(act) -> None:
    x, black = seeded(1, 2, 3, 4, seed=0), seeded(1, 2, 3, 4, seed=1)
    found, y, y0 = attributed(lambda v: act(v * 1.5), x, black)
    torch.testing.assert_close(found, y - y0)


def test_where_nothing_differs_the_derivative_stands() -> None:
    x = seeded(1, 2, 3, 4, seed=0)
    tape = record(F.silu, x, whole=True)
    found = deeplift_rules(tape, tape, tape.output)(torch.ones_like(x))
    leaf = x.clone().requires_grad_()
    torch.testing.assert_close(found, torch.autograd.grad(F.silu(leaf).sum(), leaf)[0])


@pytest.mark.parametrize(
    "pool", [lambda x: F.max_pool2d(x, 3, 2, 1), lambda x: F.max_pool2d(x, 2), lambda x: F.adaptive_max_pool2d(x, 3)]
)
def test_a_pool_gives_each_difference_to_one_place_by_a_part_of_its_own(pool) -> None:
    x, black = seeded(1, 3, 9, 8, seed=0), seeded(1, 3, 9, 8, seed=1)
    tapes = [record(pool, one, whole=True) for one in (x, black)]
    y, y0 = (tape.clean[tape.output.index] for tape in tapes)
    back = deeplift_rules(*tapes, tapes[0].output)
    torch.testing.assert_close((back(torch.ones_like(y)) * (x - black)).sum(), (y - y0).sum())
    for channel, row, column in [(0, 0, 0), (1, 1, 2), (2, 2, 1)]:
        signal = torch.zeros_like(y)
        signal[0, channel, row, column] = 1
        [part] = back(signal)[back(signal) != 0].tolist()
        assert 0 < part <= 1


def test_a_network_that_takes_another_way_is_refused() -> None:
    def turns(x: Tensor) -> Tensor:
        return x * 2 if x.sum().item() > 0 else x.relu()

    x = torch.ones(1, 3, 2, 2)
    with pytest.raises(UntraceableError):
        attributed(turns, x, -x)
