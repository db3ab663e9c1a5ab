"""The curve of robustness."""

from dataclasses import replace

from cnnviz.adversarial.figures.robustness import HEIGHT, WIDTH, draw_curve
from cnnviz.adversarial.robustness import RobustnessCurve

CURVE = RobustnessCurve("net", 2, 3, [1, 0.5, 0.5, 0], [1, 1, 1, 0.5], 1, {"forward": 2, "backward": 1}, {})


def test_accuracy_is_drawn_at_every_level():
    image = draw_curve(CURVE)
    assert image.shape == (HEIGHT, WIDTH, 3)
    for other in ({"accuracy": [1, 1, 0.5, 0]}, {"noise_accuracy": [1] * 4}, {"median_levels": None}, {"photos": 1}):
        assert (draw_curve(replace(CURVE, **other)) != image).any()
    assert draw_curve(replace(CURVE, eps=255, accuracy=[1.0] * 256, noise_accuracy=[1.0] * 256)).shape == image.shape
