"""Figures of answers beyond one label: class heat maps, a ranking, the frames of a clip; and of ``dense_pixels``."""

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from cnnviz.dense.figures.contact_sheet import draw_contact_sheet
from cnnviz.dense.figures.film_strip import draw_film_strip
from cnnviz.dense.figures.heat_maps import draw_heat
from cnnviz.dense.heat import Heat
from cnnviz.dense.rank import Ranking
from cnnviz.dense.thumbnail import Thumbnails
from cnnviz.errors import InvalidRequest
from cnnviz.io.convert import to_image
from cnnviz.models.preprocess import Geometry
from cnnviz.report import dense_pixels
from cnnviz.report.figure import Request, draws, network_of

PIXELS = dense_pixels  # imported for the functions that it registers
PHOTOS = 48  # on a contact sheet, at most


@draws(Heat)
def heat_figure(result: Heat, request: Request) -> Figure:
    """Return the figure of a heat map, on the photo or on the resized one."""
    assert result.inputs is not None
    seen, photo = to_image(result.inputs), request.photo
    if photo is not None and (
        photo.shape[:2] != result.geometry.photo or not np.array_equal(result.geometry.see(photo), seen)
    ):
        raise InvalidRequest("the result is not of this photo")
    if photo is None:
        size = result.geometry.size
        photo, result = seen, replace(result, geometry=Geometry(size, size, (0, 0), size))
    return draw_heat(photo, network_of(result), result, look=request.look)


@draws(Ranking)
def ranking_figure(result: Ranking, request: Request) -> Figure:
    """Return the contact sheet of the best photos."""
    network, count = network_of(result), len(result.photos)
    return draw_contact_sheet(result.photos[:PHOTOS], network.name, count, request.look)


@draws(Thumbnails)
def thumbnails_figure(result: Thumbnails, request: Request) -> Figure:
    """Return the film strip of a clip."""
    return draw_film_strip(result, network_of(result).name, request.look)
