"""Whether two networks have the same classes."""

import pytest
import torch

from cnnviz.adversarial.networks import require_same_classes, same_classes
from cnnviz.errors import InvalidRequest
from tests.support.networks import brightness_network, linear_network


def test_names_decide_and_without_any_the_number_of_outputs():
    named = [brightness_network(100, 4, classes=names) for names in (["a", "b"], ["a", "b"], ["a", "c"])]
    assert same_classes(named[0], named[1])
    assert not same_classes(named[0], named[2])
    two, three = brightness_network(100, 4), linear_network(torch.zeros(3, 3, 8, 8), torch.zeros(3))
    assert same_classes(two, brightness_network(90, 8))
    assert not same_classes(two, three)
    assert not same_classes(two, named[0])
    with pytest.raises(InvalidRequest, match="has other classes than"):
        require_same_classes(two, [three])
