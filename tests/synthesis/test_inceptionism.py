"""Inceptionism: closed forms on small networks, and what its pictures promise on a real one."""

import pytest
import torch
from torch import nn

from cnnviz import Network, fit, load_network
from cnnviz.synthesis.inceptionism import inceptionism


def linear(size: int = 8) -> Network:
    """A network whose logit 1 is the mean of red, and logit 0 is nothing."""

    class Red(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack((x[:, 0].mean((1, 2)) * 0, x[:, 0].mean((1, 2))), 1)

    return Network.from_module(Red(), (size, size), (0.0,) * 3, (1.0,) * 3, ["nothing", "red"])


def test_the_lecture_goes_straight_up_the_gradient():
    made = inceptionism(linear(), target=1, method="lecture", steps=3, step_size=0.02, tv_weight=0)
    start = inceptionism(linear(), target=1, method="lecture", steps=1, step_size=1e-9, tv_weight=0).picture
    start[:, 0] += 3 * 0.02 * 3**0.5  # three steps, whose root mean square over three colours is 1
    assert torch.allclose(made.picture, start, atol=1e-5)


def test_the_logits_are_those_of_the_picture_and_of_the_noise():
    made = inceptionism(linear(), target=1, steps=4)
    network = linear()
    shown = torch.nn.functional.interpolate(made.picture, (8, 8), mode="bicubic", antialias=True).clamp(0, 1)
    assert torch.allclose(made.logits, network(shown)[0], atol=1e-6)
    assert made.before[1] == pytest.approx(0.5, abs=0.02)
    assert made.logits[1] > made.before[1]


@pytest.mark.parametrize(("method", "side"), [("robust", 12), ("lecture", 8)])
def test_the_size_follows_the_network(method, side):
    assert inceptionism(linear(), target=0, method=method, steps=1).picture.shape == (1, 3, side, side)


def test_total_variation_smooths_the_lectures_picture():
    rough, smooth = (
        inceptionism(linear(32), target=1, method="lecture", steps=20, step_size=0.004, tv_weight=weight).picture
        for weight in (0.0, 0.5)
    )
    assert (smooth.diff(dim=3).abs().mean() / rough.diff(dim=3).abs().mean()) < 0.5


def test_a_stop_keeps_what_there_is():
    asked = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 2

    made = inceptionism(linear(), target=1, steps=9, stop=stop)
    assert (made.done, made.of) == (2, 9)
    same = inceptionism(linear(), target=1, steps=9, stop=lambda: False)
    assert not torch.equal(made.picture, same.picture)


def test_the_seed_decides_all():
    one, two, other = (inceptionism(linear(), target=1, steps=3, seed=seed).picture for seed in (0, 0, 1))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("prior", ["laplacian", "fourier", "pixels"])
def test_every_prior_climbs(prior):
    made = inceptionism(load_network("efficientnet_lite0", device="cpu"), target=954, prior=prior, steps=4, size=64)
    assert made.logits[954] != made.before[954]


@pytest.mark.slow
def test_a_network_that_was_not_asked_sees_the_classes_and_sees_none_in_the_lectures_picture():
    network, judge = (load_network(f"efficientnet_lite{n}", device="cpu") for n in (0, 1))
    places = {}
    for method, target in (("robust", 954), ("robust", 340), ("lecture", 340)):
        made = inceptionism(network, target=target, method=method, steps=96)
        assert made.before.softmax(0)[target] < 0.05
        assert made.logits.argmax() == target
        stored = (made.picture[0] * 255).round().byte().permute(1, 2, 0).numpy()
        logits = judge(fit(stored, judge)[0])[0]
        places[method, target] = int((logits > logits[target]).sum())
    assert places["robust", 954] == places["robust", 340] == 0
    assert places["lecture", 340] > 0
