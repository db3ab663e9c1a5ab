"""What is found in a network before it is applied at each place; others are refused by name."""

import pytest
from torch import nn

from cnnviz.dense.plan import Operator, dense_plan
from cnnviz.errors import MethodError
from tests.support.dense_networks import FullyConnected, Headed, Red, Residual, Tokens, dense_network
from tests.support.networks import lite0


def test_a_global_pooling_and_the_strides_before_it():
    plan = dense_plan(dense_network(Residual()))
    assert (plan.head.name, plan.window, plan.stride, plan.other) == ("mean", None, 4, ())
    strides = {(operator.name.removesuffix("_with_indices"), jump) for operator, jump in plan.strided.items()}
    assert strides == {("convolution", 1), ("convolution", 2), ("max_pool2d", 2)}


def test_the_bundled_network_has_places_32_pixels_apart_a_little_beyond_the_middle():
    plan = dense_plan(lite0())
    assert (plan.head, plan.stride, len(plan.strided)) == (Operator("mean", 0), 32, 5)
    assert 3 <= plan.first - 16 <= 5


def test_places_are_at_the_middle_where_the_fields_are():
    assert dense_plan(dense_network(Red())).first == 4.0


def test_a_fully_connected_head_sees_a_window():
    for pooled in (True, False):
        plan = dense_plan(dense_network(FullyConnected(pooled=pooled)))
        assert (plan.window, plan.stride) == ((16, 16), 4)
        assert (plan.head.name == "_adaptive_avg_pool2d") == pooled


@pytest.mark.parametrize(("module", "reason"), [
    (Headed(nn.Sequential(nn.Linear(6, 4), nn.Hardswish(), nn.Linear(4, 3))), "after the pooling it is not linear"),
    (Headed(nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 3))), "not linear (native_layer_norm)"),
    (FullyConnected(cells=5), "it pools 16x16 cells to 5x5"),
    (Tokens(), "it neither pools feature maps nor flattens them"),
])  # fmt: skip
def test_others_are_refused_by_name(module, reason):
    with pytest.raises(MethodError) as error:
        dense_plan(dense_network(module, "peculiar"))
    assert str(error.value).startswith("peculiar has no class at each place")
    assert reason in str(error.value)
