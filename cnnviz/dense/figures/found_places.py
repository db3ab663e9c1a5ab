"""The figure of the places of a class: frames on the photo, with the value of each."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from cnnviz.dense.heat import Heat
from cnnviz.dense.places import FoundPlace
from cnnviz.figures.labels import class_label, network_label, number, percent, title_of
from cnnviz.figures.maps import frame
from cnnviz.figures.page import Page
from cnnviz.figures.style import BLACK, LINE, WHITE, Look, own_settings
from cnnviz.io.color import Photo
from cnnviz.models.network import Network
from cnnviz.text import plural

HIGHEST, ROOM = 5.4, 0.5  # height of the photo and room of a number, in inches


@own_settings()
def draw_places(
    photo: Photo, network: Network, result: Heat, places: Sequence[FoundPlace], level: float, look: Look = Look()
) -> Figure:
    """Return the photo with a frame around each place, and its highest value."""
    page, (height, width) = Page(look), photo.shape[:2]
    name, count = class_label(network, result.targets[0]), plural(len(places), "place")
    page.heading(title_of(f"{count} where the network finds {{}}", name), f"{network_label(network.name)}: {name} "
                 f"{percent(result.probabilities[0], 1)} for the photo. Frames: logit of at least {number(level)} at "
                 f"{min(result.grids[0].size)} px.")  # fmt: skip
    box = page.row([width / height], [""], height=HIGHEST)[0]
    axes = page.picture(box, photo)
    written = list[tuple[float, float]]()
    for place in places:
        left, top, right, bottom = place.box
        frame(axes, (top, left, bottom, right), WHITE, 1.6, BLACK)
        x, y = left / width * box.width + 0.05, min(top / height * box.height + LINE + 0.02, box.height - 0.02)
        if all(abs(x - other) > ROOM or abs(y - above) > LINE for other, above in written):
            page.label(axes, box, (x, y), number(place.value))
            written.append((x, y))
    page.note("A frame holds connected places above the level; the number is the highest logit in it.")
    return page.finish()
