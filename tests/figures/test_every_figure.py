"""Every figure for photos of any shape, one to five panels and long names: nothing overlaps or leaves the canvas."""

import importlib
import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure

import cnnviz
from cnnviz.adversarial.figures.patch import POSES, draw_preview, draw_views
from cnnviz.adversarial.figures.perturbation import ReportFacts, draw_perturbation
from cnnviz.adversarial.figures.robustness import draw_curve
from cnnviz.adversarial.patch import preview
from cnnviz.attribution.figures.attribution_maps import draw_attributions
from cnnviz.attribution.figures.evaluation import draw_evaluation
from cnnviz.attribution.figures.evaluation_maps import Evaluated
from cnnviz.attribution.figures.occlusion_maps import MapStyle, draw_occlusion
from cnnviz.attribution.figures.occlusion_panels import draw_figure_7
from cnnviz.attribution.map_files import ScoredMap
from cnnviz.dense.crop import Crops
from cnnviz.dense.crop_score import ScoredCrop
from cnnviz.dense.figures.colorization import draw_colorization
from cnnviz.dense.figures.contact_sheet import draw_contact_sheet
from cnnviz.dense.figures.crops import draw_crops
from cnnviz.dense.figures.depth_map import draw_depth
from cnnviz.dense.figures.film_strip import draw_film_strip
from cnnviz.dense.figures.found_places import draw_places
from cnnviz.dense.figures.heat_maps import draw_heat
from cnnviz.dense.figures.segmentation import draw_segmentation
from cnnviz.dense.figures.size_curve import draw_size_curve
from cnnviz.dense.places import places_above
from cnnviz.dense.size_curve import SIZES, SizeCurve
from cnnviz.features.figures.activations import MapGrid, draw_activations
from cnnviz.features.figures.kernels import draw_kernels
from cnnviz.features.figures.projection_layers import draw_projection_layers
from cnnviz.features.figures.projections import ProjectionView, draw_projections
from cnnviz.features.figures.top_images import MapTiles, SearchedLayer, draw_sheet, draw_top_images
from cnnviz.features.projections import ProjectionSettings, Projector
from cnnviz.figures import maps
from cnnviz.figures.page import Page
from cnnviz.figures.style import Look
from cnnviz.synthesis.figures.both_ways import draw_both_ways
from cnnviz.synthesis.figures.channel_sheet import draw_channels
from cnnviz.synthesis.figures.class_sheet import draw_classes
from cnnviz.synthesis.held_out import HeldOutRank
from tests.support import results
from tests.support.layout import faults
from tests.support.results import FOREIGN, LONG, NAMES

LIGHT, DARK = Look(), Look("dark")
NETWORK = "efficientnet_lite0"
PACKAGE = Path(cnnviz.__file__).parent
Names = tuple[str, ...]


def draw_map(kind: str, count: int, look: Look, mode: str = "crop", names: Names = NAMES) -> Figure:
    x = results.occlusion(kind, count, mode, names)
    return draw_occlusion(results.photo(kind), results.inputs(kind, mode, names)[1], results.network(names), x,
                          MapStyle("blur", "probability"), look)  # fmt: skip


def draw_cells(kind: str, count: int, look: Look, mode: str = "crop", names: Names = NAMES) -> Figure:
    x = results.occlusion(kind, count, mode, names)
    return draw_occlusion(results.photo(kind), results.inputs(kind, mode, names)[1], results.network(names), x,
                          MapStyle("grey", "logit", "viridis", cells=True), look)  # fmt: skip


def draw_panels(kind: str, count: int, look: Look, mode: str = "crop", names: Names = NAMES) -> Figure:
    x, geometry = results.inputs(kind, mode, names)
    return draw_figure_7(results.photo(kind), geometry, results.network(names), x,
                         results.occlusion(kind, count, mode, names), "blur", look=look)  # fmt: skip


def draw_classes_by_gradient(
    kind: str, count: int, look: Look, mode: str = "crop", names: Names = NAMES, methods: int = 1
) -> Figure:
    found = {one.method: one for one in results.attributions(kind, count, mode, names, methods)}
    return draw_attributions(results.photo(kind), results.inputs(kind, mode, names)[1], results.network(names), found,
                             look=look)  # fmt: skip


def draw_methods(kind: str, count: int, look: Look, mode: str = "crop", names: Names = NAMES) -> Figure:
    return draw_classes_by_gradient(kind, 1, look, mode, names, count)


def draw_both(kind: str, count: int, look: Look, mode: str = "crop", names: Names = NAMES) -> Figure:
    return draw_classes_by_gradient(kind, count, look, mode, names, 2)


def draw_scores(
    kind: str, count: int, look: Look, mode: str = "crop", names: Names = NAMES, masked: bool = False
) -> Figure:
    found, network = results.evaluation(kind, count, mode, names, masked), results.network(names)
    scored = [ScoredMap(f"occlusion, {network.class_name(score.target)}" if count > 1 else "occlusion", score.target,
                      values) for score, values in zip(found.scores, found.maps, strict=True)]  # fmt: skip
    evaluated = Evaluated(scored, found)
    return draw_evaluation(results.photo(kind), results.inputs(kind, mode, names)[1], network, evaluated, look=look)


def draw_game(kind: str, count: int, look: Look, mode: str = "crop", names: Names = NAMES) -> Figure:
    return draw_scores(kind, count, look, mode, names, masked=True)


def draw_maps(kind: str, count: int, look: Look, mode: str = "crop", names: Names = NAMES, **more: bool) -> Figure:
    found = results.activations(kind, mode)
    shown = found.order[: {1: 1, 2: 2, 5: 20}[count]].tolist()
    return draw_activations(results.photo(kind), results.inputs(kind, mode)[1], results.network(names), found,
                            MapGrid(shown, **more), look)  # fmt: skip


def draw_overlays(kind: str, count: int, look: Look, mode: str = "crop", names: Names = NAMES) -> Figure:
    return draw_maps(kind, count, look, mode, names, overlay=True, common=True)


def draw_units(kind: str, count: int, look: Look, mode: str = "crop", names: Names = NAMES) -> Figure:
    x, network = results.inputs(kind, mode)[0], results.network(names)
    projector = Projector(network, ProjectionSettings("4"))
    units = [projector.cut(one, x) for one in results.projections(kind, count, mode)]
    with torch.inference_mode():
        logits = network(x)[0]
    return draw_projections(x[0].numpy(), network, logits, units, ProjectionView("guided"), look)


def draw_layers(kind: str, count: int, look: Look, mode: str = "crop", names: Names = NAMES) -> Figure:
    x, network = results.inputs(kind, mode)[0], results.network(names)
    rows = []
    for layer in ("1", "4"):
        projector = Projector(network, ProjectionSettings(layer, receptive_field="effective"))
        recorded = projector.record(x)
        rows.append([projector.project(recorded, x, channel) for channel in recorded.strongest(count)])
    view = ProjectionView("guided", for_want_of_pools=True)
    return draw_projection_layers(x[0].numpy(), network, recorded.logits, rows, view, look)


def draw_attack(kind: str, count: int, look: Look, mode: str = "crop", names: Names = NAMES) -> Figure:
    found, network = results.attack(kind, names), results.network(names)
    facts = ReportFacts(NETWORK, network.top(found.clean_logits), found.verification, ["zero_gradients"] * (count > 1),
                        count > 1, "kind 3")  # fmt: skip
    missed = ["not after jpeg75", "not EfficientNet-Lite1"] if count > 1 else ()
    return draw_perturbation(results.photo(kind), found.image, facts, missed, look)


def draw_sticker(kind: str, count: int, look: Look, mode: str = "crop", names: Names = NAMES) -> Figure:
    found = results.patch(kind, names)
    return draw_views(found, preview(found, 0, count), look) if count < POSES else draw_preview(found, look)


def draw_heat_maps(
    kind: str, count: int, look: Look, mode: str = "crop", names: Names = NAMES, sizes: tuple[int, ...] = (64,)
) -> Figure:
    found = results.heat(kind, count, mode, names, sizes)
    return draw_heat(results.photo(kind), results.network(names), found, look=look)


def draw_scales(kind: str, count: int, look: Look, mode: str = "crop", names: Names = NAMES) -> Figure:
    return draw_heat_maps(kind, count, look, mode, names, (64, 96))


def draw_frames(kind: str, count: int, look: Look, mode: str = "crop", names: Names = NAMES) -> Figure:
    found, photo = results.heat(kind, 1, mode, names), results.photo(kind)
    level = float(found.maps.quantile(1 - count / 10))
    places = places_above(found.maps[0].numpy(), photo.shape[:2], level)
    return draw_places(photo, results.network(names), found, places, level, look)


def draw_framed_crops(kind: str, count: int, look: Look, mode: str = "crop", names: Names = NAMES) -> Figure:
    photo = results.photo(kind)
    height, width = photo.shape[:2]
    shares = ((0, 0, 20, 20), (4, 4, 24, 24), (0, 10, 12, 22), (12, 0, 24, 12), (2, 2, 22, 22))  # of 24
    boxes = [(left * width // 24, top * height // 24, right * width // 24, bottom * height // 24)
             for left, top, right, bottom in shares[:count]]  # fmt: skip
    crops = tuple(ScoredCrop(box, -0.5 * number, 0.9, 0.8) for number, box in enumerate(boxes))
    return draw_crops(Crops(crops, 1, 300, photo), results.network(names), look)


PHOTO_KINDS: dict[str, Callable[..., Figure]] = {
    draw.__name__: draw
    for draw in (draw_map, draw_cells, draw_panels, draw_classes_by_gradient, draw_methods, draw_both, draw_scores,
                 draw_game, draw_maps, draw_overlays, draw_units, draw_layers, draw_attack, draw_sticker,
                 draw_heat_maps, draw_scales, draw_frames, draw_framed_crops)
}  # fmt: skip
CROPPED = ("draw_attack", "draw_sticker")  # by their own fit


def draw_filters(layer: str) -> Callable[[int, Look], Figure]:
    def draw(count: int, look: Look) -> Figure:
        return draw_kernels(results.network(), results.kernels(layer), range(count), look)

    return draw


def draw_found(count: int, look: Look) -> Figure:
    ((channel, hits),) = results.top_images(1, 4).channels.items()
    return draw_top_images(results.network(), MapTiles.of(channel, hits[:count]), SearchedLayer("4", 24, 4, "guided"),
                           look)  # fmt: skip


def draw_overview(count: int, look: Look) -> Figure:
    tiles = [
        MapTiles.of(channel, hits, colours=True) for channel, hits in results.top_images(count, 4).channels.items()
    ]
    return draw_sheet(results.network(), tiles, SearchedLayer("4", 24, 4, "deconvnet"), look)


def draw_visualized(count: int, look: Look) -> Figure:
    return draw_channels(results.visualization(count), results.network(), look)


def draw_diverse(count: int, look: Look) -> Figure:
    return draw_channels(results.visualization(2, count), results.network(), look)


def draw_beside_photos(count: int, look: Look) -> Figure:
    return draw_channels(results.visualization(count), results.network(), look, results.top_images(count, 3))


def draw_diverse_beside_photos(count: int, look: Look) -> Figure:
    return draw_channels(results.visualization(2, count), results.network(), look, results.top_images(2, 3))


def draw_imagined(count: int, look: Look, names: Names = NAMES) -> Figure:
    shown = [names[found.target] for found in results.classes(count)]
    ranks = [HeldOutRank("efficientnet_lite1", 1, 0.5, [])] * count if count == 2 else ()
    return draw_classes(results.classes(count), shown, NETWORK, look, ranks)


def draw_styles(count: int, look: Look) -> Figure:
    kinds = {1: ("grey", "tall"), 2: ("wide", "tiny"), 5: ("tall", "tall")}[count]
    shown = [results.styled(*pair, done=min(count, 2)) for pair in (kinds, kinds[::-1])]
    return draw_both_ways([results.photo(kind) for kind in kinds], shown, NETWORK, "mrf", look)


def draw_ranked(count: int, look: Look) -> Figure:
    return draw_contact_sheet(results.ranking(min(count, 4), count == 2).photos, NETWORK, count, look)


def draw_clip(count: int, look: Look) -> Figure:
    return draw_film_strip(results.thumbnails(count), NETWORK, look)


def draw_segments(count: int, look: Look) -> Figure:
    kind = {1: "wide", 2: "tall", 5: "tiny"}[count]
    return draw_segmentation(results.segmentation(kind), NETWORK, look)


def draw_depths(count: int, look: Look) -> Figure:
    kind, unit = {1: ("wide", "inverse"), 2: ("tall", "metres"), 5: ("tiny", "relative")}[count]
    return draw_depth(replace(results.depth(kind), kind=unit), f"owner/{'long-' * 20}" if count == 2 else NETWORK, look)


def draw_colours(count: int, look: Look) -> Figure:
    kind = {1: "wide", 2: "tall", 5: "tiny"}[count]
    return draw_colorization(results.colorization(kind), "eccv16" if count == 2 else NETWORK, look)


def draw_robustness(count: int, look: Look) -> Figure:
    return draw_curve(results.robustness(), look)


def draw_sizes(count: int, look: Look, names: Names = NAMES) -> Figure:
    curve = SizeCurve(0, SIZES[: 2 * count], (0.1,) * 2 * count, (0.9,) * 2 * count)
    return draw_size_curve(results.network(names), curve, look)


OTHER_KINDS: dict[str, Callable[[int, Look], Figure]] = {
    "kernels, RGB": draw_filters("0"), "kernels, pairs": draw_filters("3"), "kernels, matrix": draw_filters("5"),
    "top images": draw_found, "sheet": draw_overview, "channels": draw_visualized, "diversity": draw_diverse,
    "beside photos": draw_beside_photos, "diversity beside photos": draw_diverse_beside_photos,
    "classes": draw_imagined, "styles": draw_styles, "robustness": draw_robustness,
    "ranking": draw_ranked, "film strip": draw_clip, "segmentation": draw_segments, "depth": draw_depths,
    "colorization": draw_colours,
    "sizes": draw_sizes,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _coarse_maps(monkeypatch):
    """Draw maps of 150 pixels, not 900, which changes nothing but their detail."""
    monkeypatch.setattr(maps, "SIDE", 150)


def check(figure: Figure) -> None:
    """Hold a figure to its layout, its width and its resolution."""
    assert faults(figure) == []
    assert figure.canvas.get_width_height()[0] == 1920
    assert figure.dpi == 200


def test_every_drawing_function_is_in_the_table():
    drawn = set()
    for path in PACKAGE.glob("*/figures/*.py"):
        name = ".".join(("cnnviz", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        module = importlib.import_module(name)
        for own, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == name and function.__annotations__.get("return") is Figure:
                drawn.add(own)
    assert drawn
    assert {own for own in drawn if own not in globals()} == set()


def test_words_over_words_and_beyond_the_edge_are_found():
    page = Page()
    page.write(1, 1, "one")
    page.write(1.1, 1.05, "two")
    page.write(9.5, 0.5, "three")
    page.top = 2.0
    assert sorted(fault.split(":")[0] for fault in faults(page.finish())) == ["outside", "overlap"]


@pytest.mark.parametrize("draw", PHOTO_KINDS)
def test_figures_of_a_photo_in_both_themes(draw):
    for look in (LIGHT, DARK):
        check(PHOTO_KINDS[draw]("grey", 2, look))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "count"), [("wide", 1), ("wide", 5), ("tall", 2), ("tall", 5), ("tiny", 1)])
@pytest.mark.parametrize("draw", PHOTO_KINDS)
def test_figures_of_photos_of_any_shape(draw, kind, count):
    check(PHOTO_KINDS[draw](kind, count, DARK if count == 2 else LIGHT))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "count"), [("wide", 1), ("tall", 5)])
@pytest.mark.parametrize("draw", [name for name in PHOTO_KINDS if name not in CROPPED])
def test_figures_of_whole_photos_of_any_shape(draw, kind, count):
    check(PHOTO_KINDS[draw](kind, count, LIGHT, "whole"))


@pytest.mark.slow
@pytest.mark.parametrize(("names", "count"), [(LONG, 1), (LONG, 5), (FOREIGN, 5)],
                         ids=["long", "long 5", "foreign 5"])  # fmt: skip
@pytest.mark.parametrize("draw", [name for name in PHOTO_KINDS if name not in ("draw_cells", "draw_overlays")])
def test_figures_with_any_names(draw, names, count):
    check(PHOTO_KINDS[draw]("grey", count, LIGHT, "crop", names))


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("draw", OTHER_KINDS)
def test_figures_without_a_photo(draw, count):
    check(OTHER_KINDS[draw](count, DARK if count == 2 else LIGHT))


@pytest.mark.parametrize("names", [LONG, FOREIGN], ids=["long", "foreign"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_images_of_classes_with_any_names(count, names):
    check(draw_imagined(count, LIGHT, names))
