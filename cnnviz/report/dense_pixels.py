"""Figures of results with a value for each pixel of a photo: a segmentation, depth, colours."""

from matplotlib.figure import Figure

from cnnviz.dense.colorize import Colorization
from cnnviz.dense.depth import Depth
from cnnviz.dense.figures.colorization import draw_colorization
from cnnviz.dense.figures.depth_map import draw_depth
from cnnviz.dense.figures.segmentation import draw_segmentation
from cnnviz.dense.segment import Segmentation
from cnnviz.report.figure import Request, draws, network_of


@draws(Segmentation)
def segmentation_figure(result: Segmentation, request: Request) -> Figure:
    """Return the photo and its classes."""
    return draw_segmentation(result, network_of(result).name, request.look)


@draws(Depth)
def depth_figure(result: Depth, request: Request) -> Figure:
    """Return the photo and its depth."""
    return draw_depth(result, network_of(result).name, request.look)


@draws(Colorization)
def colorization_figure(result: Colorization, request: Request) -> Figure:
    """Return the photo's lightness, its predicted colours and their uncertainty."""
    return draw_colorization(result, network_of(result).name, request.look)
