"""The contact sheet of ``cnnviz rank``: photos from best to worst."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib.figure import Figure

from cnnviz.dense.rank import RankedPhoto
from cnnviz.figures.labels import network_label, with_minus
from cnnviz.figures.page import Page
from cnnviz.figures.scale import rgb
from cnnviz.figures.style import Look, own_settings
from cnnviz.figures.tiles import Tile, columns, draw_tiles
from cnnviz.io.color import Photo
from cnnviz.text import plural

NARROW, WIDE = 0.7, 1.8  # aspects of a tile; a photo of another shape has margins
QUALITY = (
    "Score: log confidence + log sharpness − 1.5 log visible noise + 2 log unclipped share − 2 log visible JPEG "
    "blocks; + 0.7 is twice the confidence or the sharpness. Technical quality alone."
)
RATING = "Score: the rating of the network, of the part of each photo that it sees."


@own_settings()
def draw_contact_sheet(photos: Sequence[RankedPhoto], network: str, count: int, look: Look = Look()) -> Figure:
    """Return the sheet of the best of ``count`` photos, best first, all with their thumbnails."""
    page, shown = Page(look), len(photos)
    images = [one.thumbnail for one in photos if one.thumbnail is not None]
    rated = photos[0].rating is not None
    by = "rating" if rated else "technical quality"
    which = plural(shown, "photo") if shown == count else f"The best {shown} of {count} photos"
    order = "Best first, row by row; above each photo its place, its name and, where it fits, its score."
    page.heading(f"{which} by {by}", f"{network_label(network)}. {order}")
    aspect = min(max(median(one.shape[1] / one.shape[0] for one in images), NARROW), WIDE)
    tiles = [
        Tile(framed(image, aspect, page.theme.paper), f"{place} {Path(one.name).stem}", with_minus(f"{one.score:.2f}"))
        for place, (one, image) in enumerate(zip(photos, images, strict=True), 1)
    ]
    draw_tiles(page, tiles, columns(len(tiles), 1.9 / aspect))
    page.note(RATING if rated else QUALITY)
    return page.finish()


def framed(image: Photo, aspect: float, paper: str) -> Photo:
    """Return an image (H, W, 3) in the upper left corner of a tile, whose rest has the colour of the paper."""
    height, width = image.shape[:2]
    tile = np.empty((max(height, round(width / aspect)), max(width, round(height * aspect)), 3), np.uint8)
    tile[:] = rgb(paper)
    tile[:height, :width] = image
    return tile
