"""The call that all attribution methods share: names and settings that it refuses, progress."""

import pytest
import torch

from cnnviz.attribution.backprop import attribute
from cnnviz.attribution.class_score import MethodSettings
from cnnviz.control import Control
from cnnviz.errors import InvalidRequest, MethodError
from tests.support.attribution_networks import Awkward, tiny


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"method": "grad-cma"}, "did you mean grad-cam"),
        ({"method": "lrp"}, "take one of gradient, "),
        ({"method": "gradient", "score": "loss"}, "take one of logit, probability"),
    ],
)
def test_unknown_names_are_refused(words: dict, message: str) -> None:
    network, x = tiny(Awkward)
    with pytest.raises(InvalidRequest, match=message):
        attribute(network, x, **words)


def test_settings_out_of_range_and_several_inputs_are_refused() -> None:
    network, x = tiny(Awkward)
    for wrong in ({"samples": 0}, {"steps": 0}, {"noise": -1.0}, {"noise": float("inf")}):
        with pytest.raises(InvalidRequest, match=next(iter(wrong))):
            MethodSettings(**wrong)
    with pytest.raises(InvalidRequest, match="one input"):
        attribute(network, x.repeat(2, 1, 1, 1))


def test_weights_that_are_not_finite_are_a_failure() -> None:
    network, x = tiny(Awkward)
    network.module.fc.bias[1] = torch.nan
    with pytest.raises(MethodError, match="logits that are not finite"):
        attribute(network, x)


@pytest.mark.parametrize("method", ["integrated-gradients", "smoothgrad"])
def test_progress_reaches_the_end(method: str) -> None:
    network, x = tiny(Awkward)
    reports: list[tuple[int, int]] = []
    control = Control(report=lambda done, total, text="": reports.append((done, total)))
    attribute(network, x, method=method, targets=[1, 2], settings=MethodSettings(steps=4, samples=4), control=control)
    assert reports[-1] == (8, 8)
