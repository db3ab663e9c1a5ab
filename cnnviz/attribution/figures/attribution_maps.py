"""The figure of attribution maps: the photo, and a panel for each method and class."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from cnnviz.attribution.backprop import Attribution
from cnnviz.attribution.catalog import METHODS
from cnnviz.attribution.figures.map_rows import Layout, MapPanel, draw_map_rows, per_row
from cnnviz.attribution.figures.shown_maps import SIGMA, WITHOUT_MEDIAN, ShownMap, shown_maps
from cnnviz.figures.labels import class_label, network_label, percent, quoted
from cnnviz.figures.maps import Crop
from cnnviz.figures.page import Page
from cnnviz.figures.style import Look
from cnnviz.io.color import Photo
from cnnviz.models.network import Network
from cnnviz.models.preprocess import Geometry

HIGHEST, LOWER, LOWEST = 3.9, 2.9, 2.5  # height in inches of a row of one or two maps, of more, and of a class


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
    page.heading(_title(network, found), _subtitle(network, list(names.values()), found, score))
    grid = len(names) > 1 and 1 < len(found) < per_row(crop)
    panels = [_panel(crop, shown, found[shown.method], "" if grid or len(names) == 1 else names[shown.target],
                     several=len(found) > 1) for shown in maps]  # fmt: skip
    height, width = geometry.size
    layout = Layout(LOWEST if grid else HIGHEST if len(panels) < 3 else LOWER, list(names.values()) if grid else (),
                    f"input {width} × {height} px")  # fmt: skip
    draw_map_rows(page, photo, geometry, crop, panels, layout)
    page.note(_note(found))
    return page.finish()


def _panel(crop: Crop, shown: ShownMap, one: Attribution, name: str, several: bool) -> MapPanel:
    """Return the panel of a map, titled by its method, or by its class where there is one method alone."""
    method = METHODS[shown.method]
    title = method.title.replace(" x ", " × ")
    below = [f"layer {one.layer}"] if one.layer else []
    if one.gaps:
        gap = one.gaps[one.targets.index(shown.target)]
        below.append(f"sum off by {percent(gap, 1) if gap >= 0.0005 else 'less than 0.1 %'}")
    if shown.method == WITHOUT_MEDIAN:
        below.append("minus its median")
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


def _subtitle(network: Network, names: list[str], found: Mapping[str, Attribution], score: str) -> str:
    kinds = {one.signed for one in found.values()}
    colours = [f"Red: raises the {score}, blue: lowers it"] * (True in kinds)
    colours += [f"{'orange' if colours else 'Orange'} to brown: influence on the {score}"] * (False in kinds)
    share = f": {names[0].replace(', ', ' ')}" if len(names) == 1 else ""
    method = f", {METHODS[next(iter(found))].title.replace(' x ', ' × ')}" if len(found) == 1 else ""
    return f"{network_label(network.name)}{method}{share}. {'; '.join(colours)}."


def _note(found: Mapping[str, Attribution]) -> str:
    words = ["Each map on its own scale, which ends at 98 % of the map’s summed magnitude."]
    if not all(METHODS[name].smooth for name in found):
        words.append(f"Maps of single pixels: Gaussian of {SIGMA} input px.")
    if any(METHODS[name].smooth for name in found):
        words.append("Grad-CAM: linear between its cells; line: half of the scale.")
    if any(one.gaps for one in found.values()):
        words.append("Sum: against the score’s difference from a black input.")
    return " ".join(words)
