"""Options of ``cnnviz heat``."""

from cnnviz.dense.commands.heat_options import Options


def test_several_scales_stand_for_the_size():
    assert Options(inputs=("cat.jpg",), size=320).sizes == (320,)
    assert Options(inputs=("cat.jpg",), scales=(64, 96)).sizes == (64, 96)
