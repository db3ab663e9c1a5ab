"""One search for every method; a photo that fools as it is."""

import pytest
import torch

from cnnviz.adversarial.catalog import SearchSettings
from cnnviz.adversarial.criterion import Criterion
from cnnviz.adversarial.search import search_change
from tests.support.networks import brightness_network, direct

VALUES = torch.full((8, 8, 3), 104, dtype=torch.uint8)


@pytest.mark.parametrize("method", ["minimal", "fgsm"])
def test_a_method_is_run_with_its_settings(method):
    if method != "minimal":
        pytest.importorskip("foolbox")
    result = search_change(
        SearchSettings(method, "linf", 8, 10), direct(brightness_network(100, 8)), VALUES, Criterion(0)
    )
    assert int((result.values.int() - VALUES).abs().max()) == (5 if method == "minimal" else 8)
    assert result.finish == (None if method == "minimal" else "rounded")


def test_a_photo_that_is_known_to_fool_is_left_as_it_is():
    model = direct(brightness_network(100, 8))
    result = search_change(SearchSettings("ddn", "l2", 8, 10), model, VALUES - 20, Criterion(0), known=True)
    assert torch.equal(result.values, VALUES - 20)
    assert model.queries.as_dict() == {"forward": 1, "backward": 0}
