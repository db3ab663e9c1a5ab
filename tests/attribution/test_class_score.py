"""The class score: its gradient by the logits, and the errors of a map's sum."""

import pytest
import torch

from cnnviz.attribution.class_score import ClassScore, class_scores, logit_gradient
from tests.support.attribution_networks import Linear, tiny


@pytest.mark.parametrize("score", ["logit", "probability"])
def test_the_gradient_by_the_logits(score: str) -> None:
    logits = torch.randn(1, 5, dtype=torch.float64)
    found = logit_gradient(logits, 2, score)
    unit = torch.eye(5, dtype=torch.float64)[2]
    share = logits.softmax(1)[0]
    expected = unit if score == "logit" else share[2] * (unit - share)
    torch.testing.assert_close(found[0], expected)
    assert class_scores(logits, score).shape == (1, 5)


def test_gaps_are_relative_errors_of_the_sum() -> None:
    network, x = tiny(Linear)
    score = ClassScore(network, x, [0, 1], "logit", torch.tensor([2.0, -4.0], dtype=torch.float64))
    maps = torch.stack([torch.full((2, 2), 0.5), torch.full((2, 2), -0.5)])
    assert score.completeness_gaps(maps) == (0.0, 0.5)
