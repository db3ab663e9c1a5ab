"""``cnnviz heat``: where in a photo the network finds a class."""

from dataclasses import dataclass
from typing import Literal

from click import IntRange

from cnnviz.app.declare import option
from cnnviz.app.options import (
    BareOptions,
    ColormapOptions,
    OutputOptions,
    PhotoOptions,
    RawOptions,
    ResumeOptions,
    TargetOptions,
    class_option,
)
from cnnviz.app.param_types import Finite, Sizes
from cnnviz.app.photo_command import photo_command
from cnnviz.app.records import Result
from cnnviz.app.session import PhotoInput, Session
from cnnviz.control import Control
from cnnviz.dense.commands.heat_fields import Record
from cnnviz.errors import InvalidRequest

SMALLEST_SIDE = 32


@dataclass(frozen=True, kw_only=True)
class Options(PhotoOptions, TargetOptions, ColormapOptions, BareOptions, RawOptions, ResumeOptions, OutputOptions):
    """Options of ``cnnviz heat``."""

    size: int = option("Shorter side of the whole photo, in pixels; both sides are rounded to the network's stride.",
                       default=448, type=IntRange(SMALLEST_SIDE), metavar="PIXELS")  # fmt: skip
    scales: tuple[int, ...] = option("Several sizes, such as 320,448,640,896: the geometric mean of their positive "
                                     "logits.", default=(), type=Sizes(SMALLEST_SIDE), metavar="PIXELS,PIXELS,...",
                                     excludes=("size",))  # fmt: skip
    stride: Literal["32", "16", "8"] = option("Pixels from one place to the next, at most the network's own.",
                                              default="32")  # fmt: skip
    find: str | None = class_option("Print and draw the places where the map of this class is above --level.", "--find",
                                    excludes=("targets", "bare", "colormap", "curve"))  # fmt: skip
    level: float = option("Lowest value of a place, a logit.", default=10.0, type=Finite(), metavar="LOGIT",
                          requires="find")  # fmt: skip
    curve: bool = option("Draw the probability of the class against the photo's size, in place of the map.",
                         default=False, panel="Figure",
                         excludes=("size", "scales", "stride", "bare", "colormap", "raw"))  # fmt: skip


@photo_command(Options, Record, suffix="-heat.png", progress=("computing", "sizes"))
def heat(session: Session, photo: PhotoInput, options: Options, control: Control) -> Result[Record]:
    """Draw where in a photo the network finds a class.

    The classifier runs as a fully convolutional network over the whole photo: the map is the class's logit at each
    place. With global pooling its mean is the logit of the photo. INPUTS are photos, folders of photos, or - for
    standard input.

    \b
    Examples:
      cnnviz heat cat.jpg
      cnnviz heat cat.jpg --scales 320,448,640,896 --raw cat.npz
      cnnviz heat photos/ --find "tiger cat" --level 12 -o found/
      cnnviz heat cat.jpg --curve
    """
    if options.curve and len(options.targets) > 1:
        raise InvalidRequest("--curve draws one --class")
    targets = session.class_indices((options.find,) if options.find else options.targets)

    from cnnviz.dense.commands.heat_results import curve_result, map_result, places_result
    from cnnviz.dense.heat import heat

    result = heat(session.network, photo.image, targets=targets, sizes=options.scales or (options.size,),
                  stride=int(options.stride), fit_mode=options.fit, control=control)  # fmt: skip
    if options.curve:
        from cnnviz.dense.size_curve import size_curve

        curve = size_curve(session.network, photo.image, result.targets[0], control=control)
        return curve_result(result, curve, options.look)
    arrays = result.arrays() if options.raw else None
    if options.find:
        return places_result(photo, result, options.level, options.look, arrays)
    return map_result(photo, result, options.colormap, None if options.bare else options.look, arrays)
