"""Figures of occlusion, attribution and evaluation."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from cnnviz.attribution.backprop import Attribution
from cnnviz.attribution.catalog import MAX_MAPS
from cnnviz.attribution.evaluation import Evaluation
from cnnviz.attribution.figures.attribution_maps import draw_attributions
from cnnviz.attribution.figures.evaluation import draw_evaluation
from cnnviz.attribution.figures.evaluation_maps import Evaluated
from cnnviz.attribution.figures.occlusion_maps import MapStyle, draw_occlusion
from cnnviz.attribution.map_files import ScoredMap
from cnnviz.attribution.occlusion import Occlusion
from cnnviz.errors import InvalidRequest
from cnnviz.report.figure import Request, draws, network_of, of_one_input, photo_around


@draws(Occlusion)
def occlusion_figure(result: Occlusion, request: Request) -> Figure:
    """Return the figure of an occlusion."""
    photo, geometry = request.ground(result)
    return draw_occlusion(photo, geometry, network_of(result), result, MapStyle(result.fill, result.score),
                          request.look)  # fmt: skip


@draws(Attribution, several=True)
def attribution_figure(results: Sequence[Attribution], request: Request) -> Figure:
    """Return the figure of attributions of one input by different methods."""
    first, found = results[0], {one.method: one for one in results}
    alike = len({(one.targets, one.score) for one in results}) == 1 and of_one_input(results)
    if len(found) < len(results) or not alike:
        raise InvalidRequest("one figure holds different methods for the same input, classes and score")
    photo, geometry = request.ground(first)
    return draw_attributions(photo, geometry, network_of(first), found, score=first.score, look=request.look)


@draws(Evaluation)
def evaluation_figure(result: Evaluation, request: Request) -> Figure:
    """Return the figure of an evaluation."""
    if result.maps is None or len(result.maps) > MAX_MAPS:
        raise InvalidRequest(f"one figure holds 1 to {MAX_MAPS} evaluated maps")
    if request.photo is not None and result.mask is not None and result.geometry is None:
        raise InvalidRequest("the mask lies on the input: evaluate with geometry= and a mask on the photo")
    photo, geometry = request.ground(result)
    if request.photo is None and result.geometry is not None:
        geometry = result.geometry
        photo = photo_around(photo, geometry)
    names = [f"Map {number}" for number in range(1, len(result.maps) + 1)] if len(result.maps) > 1 else ["Map"]
    maps = [ScoredMap(name, score.target, values.float().cpu())
            for name, score, values in zip(names, result.scores, result.maps, strict=True)]  # fmt: skip
    return draw_evaluation(photo, geometry, network_of(result), Evaluated(maps, result), look=request.look)
