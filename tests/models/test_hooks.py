"""Captured outputs are those before in-place changes; the hooks are removed."""

import pytest
import torch
from torch import nn

from cnnviz.errors import InvalidRequest
from cnnviz.models.hooks import capture, feature_maps
from cnnviz.models.network import Network


def small_network() -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    return Network.from_module(module, (8, 8), (0.5,) * 3, (0.5,) * 3, name="small")


def test_a_rectifier_in_place_does_not_change_the_captured_output():
    network, x = small_network(), torch.rand(1, 3, 8, 8)
    with torch.inference_mode(), capture(network, "0") as captured, capture(network, ["0"], channel=2) as one:
        network(x)
        network(x)
        expected = nn.functional.conv2d((x - 0.5) / 0.5, network.module[0].weight, network.module[0].bias)
    outputs = captured.tensors["0"]
    assert len(outputs) == 2
    assert (expected < 0).any()
    torch.testing.assert_close(outputs[0], expected)
    assert torch.equal(one.tensors["0"][0], outputs[0][:, 2])
    assert torch.equal(feature_maps(outputs, "0"), outputs[1][0])


def test_inputs_are_captured_before_the_layer_runs():
    network, x = small_network(), torch.rand(1, 3, 8, 8)
    with capture(network, "0", inputs=True) as captured:
        network(x)
    torch.testing.assert_close(captured.tensors["0"][0], (x - 0.5) / 0.5)


def test_hooks_are_removed_after_an_error():
    network = small_network()
    with pytest.raises(RuntimeError, match="stop"), capture(network, "1") as captured:
        raise RuntimeError("stop")
    network(torch.rand(1, 3, 8, 8))
    assert captured.tensors == {}
    assert not any(module._forward_hooks for module in network.module.modules())  # noqa: SLF001 - torch tells the number of hooks nowhere else


@pytest.mark.parametrize("runs", [{}, {"0": 1}])
def test_a_pass_ends_once_all_layers_have_run_as_often_as_before(runs: dict[str, int]):
    network, x, later = small_network(), torch.rand(1, 3, 8, 8), []
    network.module[4].register_forward_hook(lambda *_: later.append(1))
    with capture(network, "0", stop_early=True) as captured:
        captured.runs = runs
        first = captured.run(network, x)
        output = captured.tensors["0"][0]
        assert captured.run(network, x) is None
    assert (first is None, len(later)) == ((True, 0) if runs else (False, 1))
    assert torch.equal(captured.tensors["0"][0], output)


def test_layers_that_do_not_exist_or_give_no_maps():
    network = small_network()
    hint = "small has no layer '9'; see cnnviz layers -m small"
    with pytest.raises(InvalidRequest, match=hint), capture(network, "9"):
        pass
    with capture(network, "4") as captured:
        network(torch.rand(1, 3, 8, 8))
    for outputs in (captured.tensors["4"], []):
        with pytest.raises(InvalidRequest, match="layer 4 gives no feature maps"):
            feature_maps(outputs, "4")
