"""Gradient methods against autograd."""

import torch

from cnnviz import Network
from cnnviz.attribution.backprop import attribute
from cnnviz.attribution.class_score import MethodSettings
from tests.support.attribution_networks import SIZE, Awkward, Linear, Squared, close, tiny


def test_the_gradient_is_autograds_of_either_score() -> None:
    network, x = tiny(Awkward)
    for score in ("logit", "probability"):
        leaf = x.clone().requires_grad_()
        scores = network(leaf) if score == "logit" else network(leaf).softmax(1)
        gradient = torch.autograd.grad(scores[0, 1], leaf)[0]
        found = {m: attribute(network, x, method=m, targets=[1], score=score) for m in ("gradient", "gradient-x-input")}
        assert close(found["gradient"].maps, gradient.abs().amax(1))
        assert close(found["gradient-x-input"].maps, (gradient * x).sum(1))


def test_smoothgrad_without_noise_is_the_gradient_and_its_seed_is_its_own() -> None:
    network, x = tiny(Awkward)
    plain = attribute(network, x, method="gradient").maps
    assert close(attribute(network, x, method="smoothgrad", settings=MethodSettings(noise=0, samples=3)).maps, plain)
    one, again, other = (
        attribute(network, x, method="smoothgrad", settings=MethodSettings(seed=seed)).maps for seed in (7, 7, 8)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_smoothgrad_is_the_mean_gradient_of_noisy_inputs() -> None:
    network, x = tiny(Linear)
    square = Network.from_module(Squared(network.module), size=SIZE, mean=(0, 0, 0), std=(1, 1, 1))
    noisy = attribute(square, x, method="smoothgrad", settings=MethodSettings(samples=400, noise=0.1)).maps
    plain = attribute(square, x, method="gradient").maps  # linear in the input, so the noise averages out
    assert close(noisy, plain, 0.05)


def test_more_steps_of_integrated_gradients_have_a_smaller_gap() -> None:
    network, x = tiny(Awkward)
    few, many = (
        attribute(network, x, method="integrated-gradients", targets=[2], settings=MethodSettings(steps=steps)).gaps
        for steps in (2, 200)
    )
    assert few[0] > many[0]
