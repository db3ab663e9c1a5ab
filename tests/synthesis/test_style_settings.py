"""Settings of a transfer: what the method decides."""

from cnnviz import StyleSettings
from tests.support.networks import lite0


def test_patches_start_at_a_smaller_size_and_with_a_coarser_content():
    statistics, patches = StyleSettings(), StyleSettings(method="mrf")
    assert [max(size) for size in patches.schedule.sizes((256, 384))] == [94, 150, 240, 384]
    assert max(statistics.schedule.sizes((256, 384))[0]) > 94
    assert patches.schedule.steps_at(4) == [60] * 4
    assert statistics.schedule.steps_at(2) == [140, 100]
    assert StyleSettings(method="mrf", steps=7).schedule.steps == 7
    assert list(statistics.layers(lite0()).content) == ["blocks.2.1"]
    assert list(patches.layers(lite0()).content) == ["blocks.4.2"]


def test_named_layers_replace_those_of_their_kind():
    layers = StyleSettings(method="mrf", style_layers={"blocks.1.1": 2}).layers(lite0())
    assert layers.style == {"blocks.1.1": 2}
    assert list(layers.content) == ["blocks.4.2"]
