"""Which classes are visualized, and into which files."""

import pytest
from torch import nn

from cnnviz import Network
from cnnviz.errors import InvalidRequest
from cnnviz.synthesis.commands.class_runner import choose_classes, plan_classes
from tests.synthesis.commands.test_inceptionism_options import options


@pytest.fixture(scope="module")
def network() -> Network:
    body = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Network.from_module(body, (8, 8), (0.0,) * 3, (1.0,) * 3, ["Red fox", "b", "c"], name="net")


def test_classes_are_taken_once_and_drawn_by_the_seed(network):
    assert choose_classes(network, options(targets=("c", "0", "2"))) == [2, 0]
    assert choose_classes(network, options(targets=("all",))) == [0, 1, 2]
    draws = [choose_classes(network, options(random=2, seed=seed)) for seed in (1, 1, 2, 3, 4)]
    assert draws[0] == draws[1]
    assert len({tuple(draw) for draw in draws}) > 1
    with pytest.raises(InvalidRequest, match="--random 4: net has 3 classes"):
        choose_classes(network, options(random=4))


def test_a_folder_gets_a_file_for_each_class(network):
    ((job, classes),) = plan_classes(network, options(targets=("all",)), [0, 1])
    assert (job.output, classes) == ("efficientnet_lite0-inceptionism.png", [0, 1])
    jobs = plan_classes(network, options(targets=("all",), output="out/"), [0, 2])
    assert [(job.output, classes) for job, classes in jobs] == [("out/000-red-fox.png", [0]), ("out/002-c.png", [2])]
