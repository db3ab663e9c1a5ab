"""``cnnviz occlude``: which parts of a photo the class score depends on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from click import IntRange

from cnnviz.app.declare import option
from cnnviz.app.options import (
    BareOptions,
    ColormapOptions,
    Fill,
    OutputOptions,
    PhotoOptions,
    RawOptions,
    ResumeOptions,
    Score,
    SeedOptions,
    TargetOptions,
    layer_option,
    redeclare,
    score_option,
)
from cnnviz.app.param_types import Finite
from cnnviz.app.photo_command import photo_command
from cnnviz.app.records import PhotoRecord, RawRecord, Result, field
from cnnviz.app.session import PhotoInput, Session
from cnnviz.control import Control

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from cnnviz.app.records import Picture
    from cnnviz.attribution.occlusion import Occlusion
    from cnnviz.models.preprocess import Geometry


@dataclass(frozen=True, kw_only=True)
class Options(PhotoOptions, TargetOptions, ColormapOptions, BareOptions, RawOptions, ResumeOptions, SeedOptions,
              OutputOptions):  # fmt: skip
    """Options of ``cnnviz occlude``."""

    window: int = option("Side of the occluding square, in pixels of the network's input.", default=48,
                         type=IntRange(1), metavar="PIXELS")  # fmt: skip
    stride: int = option("Step between two window positions, in pixels of the network's input.", default=16,
                         type=IntRange(1), metavar="PIXELS")  # fmt: skip
    fill: Fill = option("Content of the window.", default="blur")
    score: Score = score_option("probability")
    border: Literal["inside", "overhang"] = option(
        "Windows start inside the input, or overhang it so that border pixels are covered as often as the others.",
        default="overhang",
    )
    engine: Literal["auto", "incremental", "plain"] = option(
        "Compute only what a window changes, or a full pass for each position; auto takes the faster.", default="auto"
    )
    time_limit: float | None = option("Stop each photo after this time and draw the coarser map of the positions done; "
                                      "status \"partial\", exit status 0. [default: none]", default=None,
                                      type=Finite(0, min_open=True), metavar="SECONDS", recorded=False)  # fmt: skip
    cells: bool = option("Draw each measured cell in one colour, without interpolation.", default=False, panel="Figure")
    panels: bool = option("All panels of the paper's figure 7: window, the layer's strongest feature map, its "
                          "projection, probability, most probable class.", default=False, panel="Figure",
                          excludes=("bare", "cells", "colormap"))  # fmt: skip
    layer: str | None = redeclare(layer_option("Layer of --panels, by its name in 'cnnviz layers'. "
                                               "[default: the last layer with maps]"), requires="panels")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Record(PhotoRecord, RawRecord):
    """JSON fields of ``cnnviz occlude``."""

    targets: list[int] = field("Indices of the classes of interest.", minItems=1)
    positions: int = field("Window positions.", minimum=1)
    positions_done: int | None = field("Positions evaluated when the run was stopped.", default=None,
                                       progress_of="positions", minimum=1)  # fmt: skip
    batch: int = field("Positions evaluated at a time.", recorded=False, minimum=1)
    engine: str = field("How the logits were computed.")
    engine_reason: str = field("Why this engine was chosen.")


@photo_command(Options, Record, suffix="-occlude.png", progress=("occluding", "positions"), stoppable=True,
               clips_by="cnnviz heat")  # fmt: skip
def occlude(session: Session, photo: PhotoInput, options: Options, control: Control) -> Result[Record]:
    """Draw which parts of a photo the class score depends on.

    A window slides over the network's input and covers one part after the other; the map shows how much the score of
    the class drops (red) or rises (blue) when each part is covered. INPUTS are photos, folders of photos, or - for
    standard input.

    \b
    Examples:
      cnnviz occlude cat.jpg
      cnnviz occlude cat.jpg --class tabby --class lynx -o cat.png
      cat cat.jpg | cnnviz occlude - -o - > map.png
    """
    inputs, geometry = session.fit(photo.image)

    from cnnviz.attribution.occlusion import KEPT, EngineOptions, occlusion

    network, layer = session.network, options.layer
    if options.panels and not layer:
        layer = network.map_layers((inputs.shape[-2], inputs.shape[-1]))[-1]
    engine = EngineOptions(options.engine, layer, seed=options.seed).resuming(session.kept_arrays(photo, KEPT))
    result = occlusion(
        network, inputs, window=options.window, stride=options.stride, score=options.score,
        fill=options.fill, border=options.border, targets=session.class_indices(options.targets), options=engine,
        control=control,
    )  # fmt: skip
    done = int(result.done.sum())
    stopped = done < len(result.positions)
    record = Record(
        network=network.name, top=network.top(result.clean_logits), targets=list(result.targets),
        positions=len(result.positions), positions_done=done if stopped else None, batch=result.batch,
        engine=result.engine, engine_reason=result.engine_reason,
    )  # fmt: skip
    if stopped:
        again = "; --resume continues" if session.keeps_partial(photo.job) else ""
        control.note(f"stopped after {done} of {len(result.positions)} positions{again}")
    return Result(
        record, _draw(session, photo, geometry, inputs, result, options),
        _arrays(result, geometry) if options.raw else None,
        partial=stopped,
        kept=result.kept if stopped else None,
    )  # fmt: skip


def _draw(
    session: Session, photo: PhotoInput, geometry: "Geometry", inputs: "Tensor", result: "Occlusion", options: Options
) -> "Picture":
    if options.bare:
        from cnnviz.attribution.figures.shown_maps import occlusion_overlays

        return occlusion_overlays(photo.image, geometry, result, options.colormap, options.cells)
    network, look = session.network, options.look
    if options.panels:
        from cnnviz.attribution.figures.occlusion_panels import draw_figure_7

        return draw_figure_7(photo.image, geometry, network, inputs, result, options.fill, seed=options.seed, look=look)
    from cnnviz.attribution.figures.occlusion_maps import MapStyle, draw_occlusion

    style = MapStyle(options.fill, options.score, options.colormap, options.cells)
    return draw_occlusion(photo.image, geometry, network, result, style, look)


def _arrays(result: "Occlusion", geometry: "Geometry") -> "dict[str, NDArray[Any]]":
    import numpy as np

    maps, strongest = result.maps.numpy(), result.activation
    panel = {} if strongest is None else {
        "activations": strongest.totals.numpy(), "layer": np.array(strongest.layer),
        "channel": np.array(strongest.channel),
    }  # fmt: skip
    return panel | {
        "logits": result.logits.numpy(),
        "clean_logits": result.clean_logits.numpy(),
        "positions": result.positions.numpy(),
        "window": np.array(result.window),
        "stride": np.array(result.stride),
        "targets": np.array(result.targets),
        "maps": maps,
        "photo_maps": geometry.to_photo(maps),
    }
