"""The figure of attribution maps: the photo, and a panel for each method and class."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from cnnviz.attribution.backprop import Attribution
from cnnviz.attribution.catalog import METHODS
from cnnviz.attribution.figures.shown_maps import SIGMA, WITHOUT_MEDIAN, ShownMap, shown_maps
from cnnviz.figures.labels import class_label, network_label, percent, quoted
from cnnviz.figures.map_rows import Layout, MapPanel, draw_map_rows, per_row
from cnnviz.figures.maps import Crop, has_contour
from cnnviz.figures.page import Page
from cnnviz.figures.style import Look, own_settings
from cnnviz.io.color import Photo
from cnnviz.models.network import Network
from cnnviz.models.preprocess import Geometry

HIGHEST, LOWER, LOWEST = 3.9, 2.9, 2.5  # height in inches of a row of one or two maps, of more, and of a class


@own_settings()
def draw_attributions(
    photo: Photo, geometry: Geometry, network: Network, found: Mapping[str, Attribution], *, score: str = "logit",
    colormap: str = "auto", look: Look = Look(),
) -> Figure:  # fmt: skip
    """Return the photo and the maps of methods by name, each on its own scale; ``score`` as computed.

    Of several methods and classes each class begins a row, where the methods fit into one.
    """
    page, crop, maps = Page(look), Crop.of(photo, geometry), shown_maps(found, colormap)
    one = next(iter(found.values()))
    shares = one.clean_logits.double().softmax(0)
    names = {target: f"{class_label(network, target)}, {percent(float(shares[target]), 1)}" for target in one.targets}
    page.heading(_title(network, found), _subtitle(network, list(names.values()), found, score, colormap))
    grid = len(names) > 1 and 1 < len(found) < per_row(crop)
    panels = [_panel(crop, shown, found[shown.method], "" if grid or len(names) == 1 else names[shown.target],
                     several=len(found) > 1) for shown in maps]  # fmt: skip
    height, width = geometry.size
    layout = Layout(LOWEST if grid else HIGHEST if len(panels) < 3 else LOWER, list(names.values()) if grid else (),
                    f"input {width} × {height} px")  # fmt: skip
    drawn = draw_map_rows(page, photo, geometry, crop, panels, layout)
    page.note(_note(found, any(has_contour(axes) for axes, _ in drawn.maps)))
    return page.finish()


def _panel(crop: Crop, shown: ShownMap, one: Attribution, name: str, several: bool) -> MapPanel:
    """Return the panel of a map, titled by its method, or by its class where there is one method alone."""
    method = METHODS[shown.method]
    title = method.title.replace(" x ", " × ")
    below = [f"layer {one.layer}"] if one.layer else []
    if one.gaps:
        gap = one.gaps[one.targets.index(shown.target)]
        below.append(f"completeness error {percent(gap, 1) if gap >= 0.0005 else 'less than 0.1 %'}")
    if shown.method == WITHOUT_MEDIAN:
        below.append("median subtracted")
    if name and several:
        below.insert(0, name)
    return MapPanel(
        name if name and not several else title, crop.sample(shown.values), shown.scale, "; ".join(below), method.smooth
    )


def _title(network: Network, found: Mapping[str, Attribution]) -> str:
    targets = next(iter(found.values())).targets
    what = "Regions" if all(METHODS[name].smooth for name in found) else "Pixels"
    names = quoted([class_label(network, target) for target in targets])
    return f"{what} that {names} depend{'s' * (len(targets) == 1)} on"


def _subtitle(network: Network, names: list[str], found: Mapping[str, Attribution], score: str, colormap: str) -> str:
    kinds, auto = {one.signed for one in found.values()}, colormap == "auto"
    ends = ("red", "blue", "orange to brown") if auto else ("positive", "negative", "from 0 to most")
    colours = [f"{ends[0]}: raises the {score}, {ends[1]}: lowers it"] * (True in kinds)
    colours += [f"{ends[2]}: influence on the {score}"] * (False in kinds)
    colours[0] = colours[0][0].upper() + colours[0][1:]
    share = f": {names[0].replace(', ', ' ')}" if len(names) == 1 else ""
    method = f", {METHODS[next(iter(found))].title.replace(' x ', ' × ')}" if len(found) == 1 else ""
    return f"{network_label(network.name)}{method}{share}. {'; '.join(colours)}."


def _note(found: Mapping[str, Attribution], contour: bool) -> str:
    words = ["Each map has its own scale, which covers 98 % of the map’s summed magnitude."]
    if not all(METHODS[name].smooth for name in found):
        words.append(f"Pixel-wise maps are smoothed by a Gaussian, σ = {SIGMA} input px.")
    if any(METHODS[name].smooth for name in found):
        line = "; the line is at half of the scale" * contour
        words.append(f"Grad-CAM is linear between its cells{line}.")
    if any(one.gaps for one in found.values()):
        words.append("Completeness error: the map’s sum against the score’s difference from a black input.")
    return " ".join(words)
