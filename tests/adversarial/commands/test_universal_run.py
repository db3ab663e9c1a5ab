"""The summary of many files, and the change made visible."""

import numpy as np

from cnnviz.adversarial.commands.records import UniversalRecord
from cnnviz.adversarial.commands.universal_run import draw_pattern, summarize


def record(part: str, fooled: bool, **other) -> UniversalRecord:
    fields = {
        "levels": 3, "l0": 9, "l1": 9, "l2": 3.0, "changed": 0.1, "psnr": 50.0, "ssim": 0.99, "target": 3, "goal": None,
        "margin": 1.5, "storing_levels": 0, "top": [], "robust_to": {}, "control": False, "other_networks": [],
        "passes": {"forward": 2, "backward": 1}, "warnings": {}, "clean_top": [],
    }  # fmt: skip
    return UniversalRecord(network="n", part=part, fooled=fooled, **(fields | other))


def test_rates_are_of_all_and_of_each_part():
    records = [record("search", True), record("search", False, levels=7, warnings={"randomized": "..."})]
    summary = summarize([*records, record("held_out", False, control=True)])
    assert summary.fooling_rates == {"all": 0.333333, "search": 0.5, "held_out": 0.0}
    assert (summary.parts, summary.photos) == ({"search": 2, "held_out": 1}, 3)
    assert (summary.levels, summary.control_rate, summary.warned) == (7, 0.333333, {"randomized": 1})
    assert summary.passes == {"forward": 6, "backward": 3}
    assert summarize(records).fooling_rates["held_out"] is None


def test_the_largest_value_of_a_change_is_black_or_white():
    change = np.zeros((3, 20, 30), np.int16)
    change[0, 0, 0], change[1, 5, 5] = 10, -10
    image = draw_pattern(change)
    assert image.shape == (480, 720, 3)
    assert image[0, 0].tolist() == [128 + 120, 128, 128]
    assert image[5 * 24, 5 * 24].tolist() == [128, 128 - 120, 128]
    assert (draw_pattern(0 * change) == 128).all()
