"""Figures of answers beyond one label: class heat maps, a ranking, the frames of a clip; and of ``dense_pixels``."""

from matplotlib.figure import Figure

from cnnviz.dense.crop import Crops
from cnnviz.dense.figures.contact_sheet import draw_contact_sheet
from cnnviz.dense.figures.crops import draw_crops
from cnnviz.dense.figures.film_strip import draw_film_strip
from cnnviz.dense.figures.heat_maps import draw_heat
from cnnviz.dense.heat import Heat
from cnnviz.dense.rank import Ranking
from cnnviz.dense.thumbnail import Thumbnails
from cnnviz.report import dense_pixels
from cnnviz.report.figure import Request, draws, network_of

PIXELS = dense_pixels  # imported for the functions that it registers
PHOTOS = 48  # on a contact sheet, at most


@draws(Heat)
def heat_figure(result: Heat, request: Request) -> Figure:
    """Return the figure of a heat map, on the photo or on the resized one."""
    photo, result = result.shown_on(request.photo)
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


@draws(Crops)
def crops_figure(result: Crops, request: Request) -> Figure:
    """Return the photo and its best crops."""
    return draw_crops(result, network_of(result), request.look)
