"""Figures of feature maps, filters, projections, and the photos that maximise a channel."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure

from cnnviz.errors import InvalidRequest
from cnnviz.features.activations import Activations
from cnnviz.features.deconvnet import Projection
from cnnviz.features.figures.activations import MapGrid, draw_activations
from cnnviz.features.figures.kernels import draw_kernels
from cnnviz.features.figures.projections import ProjectionView, draw_projections
from cnnviz.features.figures.top_images import MapTiles, SearchedLayer, draw_sheet, draw_top_images
from cnnviz.features.kernels import Kernels
from cnnviz.features.projections import ProjectionSettings, Projector
from cnnviz.features.top_images import TopImages
from cnnviz.report.figure import Request, draws, network_of, of_one_input

MAPS = 16  # channels of a layer that are drawn, the strongest


@draws(Activations)
def activations_figure(result: Activations, request: Request) -> Figure:
    """Return the figure of the feature maps of a layer's strongest channels."""
    photo, geometry = request.ground(result)
    return draw_activations(photo, geometry, network_of(result), result, MapGrid(result.order[:MAPS].tolist()),
                            request.look)  # fmt: skip


@draws(Kernels)
def kernels_figure(result: Kernels, request: Request) -> Figure:
    """Return the figure of a convolution's filters."""
    return draw_kernels(network_of(result), result, result.default_channels(), request.look)


@draws(Projection, several=True)
def projections_figure(results: Sequence[Projection], request: Request) -> Figure:
    """Return the figure of projections of one input from one layer."""
    first = results[0]
    if len({(one.layer, one.method) for one in results}) > 1 or not of_one_input(results):
        raise InvalidRequest("one figure holds projections of the same input, layer and method")
    network, inputs = network_of(first), first.inputs
    if inputs is None:
        raise InvalidRequest("the result holds no input to draw")
    projector = Projector(network, ProjectionSettings(first.layer, first.method))
    units = [projector.cut(one, inputs) for one in results]
    with torch.inference_mode():
        logits = network.class_logits(network.outputs(inputs))
    image = inputs[0].float().cpu().numpy()
    return draw_projections(image, network, logits, units, ProjectionView(first.method, strongest=False), request.look)


@draws(TopImages)
def top_images_figure(result: TopImages, request: Request) -> Figure:
    """Return the figure of one channel's photos, or the sheet of several."""
    maps = [MapTiles.of(channel, found) for channel, found in result.channels.items() if found]
    if not maps:
        raise InvalidRequest("the search was stopped before any photo was projected")
    network, searched = network_of(result), SearchedLayer(result.layer, result.maps, result.images, result.method)
    if len(maps) == 1:
        return draw_top_images(network, maps[0], searched, request.look)
    return draw_sheet(network, maps, searched, request.look)
