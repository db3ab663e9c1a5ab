"""What is made of the maps of a photo, without a command line."""

from types import SimpleNamespace

import numpy as np

from cnnviz.dense.commands.heat_results import curve_result, map_result, places_result
from cnnviz.dense.size_curve import SizeCurve
from cnnviz.figures.style import Look
from tests.support import results
from tests.support.figures import words


def test_a_result_has_a_figure_an_overlay_or_lines():
    found, image = results.heat("grey"), results.photo("grey")
    photo = SimpleNamespace(image=image, job=SimpleNamespace(source="grey.png"))
    drawn = map_result(SimpleNamespace(network=found.network), photo, found, "auto", Look(), found.arrays())
    assert "Where the network finds “kind 0”" in words(drawn.image)
    assert drawn.arrays["photo_maps"].shape == (1, *image.shape[:2])
    assert (
        map_result(SimpleNamespace(network=found.network), photo, found, "auto", None, None).image.shape == image.shape
    )
    lowest = float(found.maps.min())
    some = places_result(SimpleNamespace(network=found.network), photo, found, lowest, Look(), None)
    assert some.text.startswith("grey.png\t")
    assert some.record.places[0].box == [0, 0, image.shape[1], image.shape[0]]
    none = places_result(SimpleNamespace(network=found.network), photo, found, float(np.inf), Look(), None)
    assert (none.image, none.text, none.notes) == (None, "", ("grey.png: 0 places of kind 0",))


def test_the_curve_is_rounded_in_the_record():
    curve = SizeCurve(0, (64, 96), (0.12345678, 0.5), (0.9, 1.0))
    found = results.heat("grey")
    made = curve_result(SimpleNamespace(network=found.network), found, curve, Look())
    assert [(row.size, row.probability, row.best_place) for row in made.record.curve] == [(64, 0.123457, 0.9),
                                                                                         (96, 0.5, 1.0)]  # fmt: skip
