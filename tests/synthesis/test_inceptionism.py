"""Class visualization: closed forms on small networks, and what its images promise on a real one."""

import pytest
import torch
from torch import nn

from cnnviz import Network, load_network
from cnnviz.control import Control
from cnnviz.errors import InvalidRequest
from cnnviz.synthesis.held_out import rank_class
from cnnviz.synthesis.inceptionism import ClassSettings, class_seed, inceptionism
from tests.support.networks import lite0


def linear(size: int = 8) -> Network:
    """A network whose logit 1 is the mean of red, and logit 0 is 0."""

    class Red(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack((x[:, 0].mean((1, 2)) * 0, x[:, 0].mean((1, 2))), 1)

    return Network.from_module(Red(), (size, size), (0.0,) * 3, (1.0,) * 3, ["nothing", "red"])


def red(seed: int = 0, network: Network | None = None, **settings):
    return inceptionism(network or linear(), "red", settings=ClassSettings(**settings), seed=seed)


def test_the_plain_method_follows_the_gradient():
    tensor = red(method="plain", steps=3, step_size=0.02, tv_weight=0).tensor
    start = red(method="plain", steps=1, step_size=1e-9, tv_weight=0).tensor
    start[:, 0] += 3 * 0.02 * 3**0.5  # three steps, whose root mean square over three colours is 1
    assert torch.allclose(tensor, start, atol=1e-5)


def test_the_logits_are_those_of_the_image_and_of_its_start():
    result = red(steps=4)
    shown = torch.nn.functional.interpolate(result.tensor, (8, 8), mode="bicubic", antialias=True).clamp(0, 1)
    assert torch.allclose(result.logits, linear()(shown)[0], atol=1e-6)
    assert result.start_logits[1] == pytest.approx(0.5, abs=1e-6)
    assert result.logits[1] > result.start_logits[1]
    assert result.probability > result.start_probability > 0.5
    assert result.image.shape == (12, 12, 3)


@pytest.mark.parametrize(("method", "side"), [("robust", 12), ("plain", 8)])
def test_the_size_follows_the_network(method, side):
    assert red(method=method, steps=1).tensor.shape == (1, 3, side, side)


def test_total_variation_smooths_the_plain_image():
    rough, smooth = (
        red(network=linear(32), method="plain", steps=20, step_size=0.004, tv_weight=weight).tensor
        for weight in (0.0, 0.5)
    )
    assert (smooth.diff(dim=3).abs().mean() / rough.diff(dim=3).abs().mean()) < 0.5


def test_stopped_it_keeps_the_steps_that_are_done():
    steps = []
    control = Control(stopped=lambda: len(steps) == 2)
    result = inceptionism(linear(), 1, settings=ClassSettings(steps=9), control=control, on_step=steps.append)
    assert (result.done, result.of) == (2, 9)
    assert [(at.step, at.of) for at in steps] == [(1, 9), (2, 9)]
    assert torch.equal(steps[-1].tensor(), result.tensor)
    assert not torch.equal(result.tensor, red(steps=9).tensor)


def test_the_seed_determines_the_image():
    one, two, other = (red(seed, steps=3).tensor for seed in (0, 0, 1))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_classes_do_not_share_their_random_numbers():
    assert len({class_seed(seed, index) for seed in range(3) for index in range(100)}) == 300
    one, other = (
        inceptionism(linear(), index, settings=ClassSettings(method="plain", steps=1)).start_logits for index in (0, 1)
    )
    assert one[1] != other[1]


def test_the_robust_method_starts_from_plain_grey():
    assert red(steps=1).start_logits[1] == pytest.approx(0.5, abs=1e-6)


def test_a_class_that_the_network_lacks_is_refused():
    with pytest.raises(InvalidRequest, match="no class is named 'blue'"):
        inceptionism(linear(), "blue")


@pytest.mark.parametrize("preconditioner", ["laplacian", "fourier", "pixels"])
def test_every_preconditioner_changes_the_logit(preconditioner):
    settings = ClassSettings(preconditioner=preconditioner, steps=4, size=64)
    result = inceptionism(lite0(), "banana", settings=settings)
    assert result.target == 954
    assert result.logits[954] != result.start_logits[954]


@pytest.mark.slow
def test_a_held_out_network_recognises_robust_images_and_not_plain_ones():
    network, held_out = (load_network(f"efficientnet_lite{n}", device="cpu") for n in (0, 1))
    ranks = {}
    for method, target in (("robust", 954), ("robust", 340), ("plain", 340)):
        result = inceptionism(network, target, settings=ClassSettings(method, steps=96))
        assert result.start_probability < 0.05
        assert result.logits.argmax() == target
        ranks[method, target] = rank_class(held_out, result.image, target).rank
    assert ranks["robust", 954] == ranks["robust", 340] == 1
    assert ranks["plain", 340] > 1
