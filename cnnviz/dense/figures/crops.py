"""The figure of the best crops: frames on the photo, and the crops themselves."""

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from cnnviz.dense.crop import Crops
from cnnviz.dense.crop_score import ScoredCrop
from cnnviz.figures.labels import class_label, network_label, percent, title_of, with_minus
from cnnviz.figures.maps import frame
from cnnviz.figures.page import INNER, Page
from cnnviz.figures.style import BLACK, GAP, LINE, WHITE, Look, own_settings
from cnnviz.figures.tiles import Tile, columns, draw_tiles
from cnnviz.io.color import Photo
from cnnviz.models.network import Network

HIGHEST = 4.2  # height of the photo in inches
TILE = 480  # longer side of a crop in the figure, in pixels


@own_settings()
def draw_crops(found: Crops, network: Network, look: Look = Look()) -> Figure:
    """Return the photo with a frame around each crop, numbered from the best, and the crops."""
    page, (height, width) = Page(look), found.photo.shape[:2]
    count = len(found.crops)
    which = "The best crop" if count == 1 else f"The {count} best crops"
    method = f"{network_label(network.name)}. Of {found.tried} places and sizes; above each crop its score."
    if found.target is None:
        page.heading(f"{which} by rating", method)
    else:
        page.heading(title_of(f"{which} for {{}}", class_label(network, found.target)), method)
    box = page.row([width / height], ["Photo"], height=HIGHEST)[0]
    axes, written = page.picture(box, found.photo), list[tuple[float, float]]()
    for number, one in reversed(list(enumerate(found.crops, 1))):
        left, top, right, bottom = one.box
        frame(axes, (top, left, bottom, right), page.theme.accent if number == 1 else WHITE, 1.8, BLACK)
        x, y = left / width * box.width + 0.06, min(top / height * box.height + LINE + 0.04, box.height - 0.02)
        if count > 1 and all(abs(x - other) > 2 * LINE or abs(y - above) > LINE for other, above in written):
            page.label(axes, box, (x, y), str(number))
            written.append((x, y))
    page.top += GAP
    aspect = (right - left) / (bottom - top)
    tiles = [
        Tile(_small(image, aspect), f"Crop {number}", f"score {with_minus(f'{one.score:.2f}')}", str(number))
        for number, (one, image) in enumerate(zip(found.crops, found.images(), strict=True), 1)
    ]
    draw_tiles(page, tiles, columns(len(tiles), INNER / HIGHEST / aspect))
    page.note(_score(found.crops[0]))
    return page.finish()


def _score(best: ScoredCrop) -> str:
    """Return what the score is, with the numbers of the best crop."""
    if best.probability is None or best.share is None:
        return "Score: the rating of the network, of the crop alone."
    probability, share = percent(best.probability, 1), percent(best.share, 1)
    return (f"Score: log(p + 0.3) + 6 log s. Crop 1: probability of the class p = {probability}, share of its heat "
            f"map inside s = {share}.")  # fmt: skip


def _small(image: Photo, aspect: float) -> Photo:
    """Return a crop at one size, of an aspect."""
    size = (TILE, max(1, round(TILE / aspect))) if aspect > 1 else (max(1, round(TILE * aspect)), TILE)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
