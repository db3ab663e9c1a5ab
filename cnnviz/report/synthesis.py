"""Figures of images that maximise classes, channels, units or directions."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from cnnviz.errors import InvalidRequest
from cnnviz.report.figure import Request, draws, network_of
from cnnviz.synthesis.figures.channel_sheet import draw_channels
from cnnviz.synthesis.figures.class_sheet import draw_classes
from cnnviz.synthesis.inceptionism import ClassVisualization
from cnnviz.synthesis.visualize import Visualization


@draws(Visualization)
def visualization_figure(result: Visualization, request: Request) -> Figure:
    """Return the figure of a layer's visualized units."""
    return draw_channels(result, network_of(result), request.look)


@draws(ClassVisualization, several=True)
def class_figure(results: Sequence[ClassVisualization], request: Request) -> Figure:
    """Return the figure of images of classes by one network."""
    network = network_of(results[0])
    if any(one.network is not network for one in results):
        raise InvalidRequest("one figure holds images of one network")
    names = [network.class_name(one.target) for one in results]
    return draw_classes(results, names, network.name, request.look)
