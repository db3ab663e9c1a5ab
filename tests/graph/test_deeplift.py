"""Signals of differences: they add up, whatever a rectifier is called and wherever a pool's maximum moved to."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnviz.graph.deeplift import deeplift_rules
from cnnviz.graph.tape import UntraceableError, record


def attributed(network, x: Tensor, black: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the attribution of the answers' sum, and the answers for both."""
    tapes = [record(network, one, whole=True) for one in (x, black)]
    answers = [tape.clean[tape.output.index] for tape in tapes]
    back = deeplift_rules(*tapes, tapes[0].output)
    return back(torch.ones_like(answers[0])) * (x - black), *answers


def seeded(*size: int, seed: int) -> Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


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
