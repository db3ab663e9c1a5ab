"""Options of ``cnnviz heat``."""

from dataclasses import dataclass
from typing import Literal

from click import IntRange

from cnnviz.app.declare import option
from cnnviz.app.options import (
    BareOptions,
    ColormapOptions,
    LosslessOptions,
    OutputOptions,
    PhotoOptions,
    RawOptions,
    ResumeOptions,
    TargetOptions,
    class_option,
)
from cnnviz.app.param_types import Finite, Sizes

SMALLEST_SIDE = 32


@dataclass(frozen=True, kw_only=True)
class Options(PhotoOptions, TargetOptions, ColormapOptions, BareOptions, RawOptions, LosslessOptions, ResumeOptions,
              OutputOptions):  # fmt: skip
    """Options of ``cnnviz heat``."""

    size: int = option("Shorter side of the whole photo, in pixels; both sides are rounded to the network's stride.",
                       default=448, type=IntRange(SMALLEST_SIDE), metavar="PIXELS")  # fmt: skip
    scales: tuple[int, ...] | None = option("Several sizes, such as 320,448,640,896: the geometric mean of "
                                            "their positive logits.", default=None, type=Sizes(SMALLEST_SIDE),
                                            metavar="PIXELS,PIXELS,...", excludes=("size",))  # fmt: skip
    stride: Literal["32", "16", "8"] = option("Pixels from one place to the next, at most the network's own.",
                                              default="32")  # fmt: skip
    find: str | None = class_option("Print and draw the places where the map of this class is above --level.", "--find",
                                    excludes=("targets", "bare", "colormap", "curve"))  # fmt: skip
    level: float = option("Lowest value of a place, a logit.", default=10.0, type=Finite(), metavar="LOGIT",
                          requires="find")  # fmt: skip
    curve: bool = option("Draw the probability of the class against the photo's size, in place of the map.",
                         default=False, panel="Figure",
                         excludes=("size", "scales", "stride", "bare", "colormap", "raw"))  # fmt: skip

    @property
    def sizes(self) -> tuple[int, ...]:
        """The shorter side of the photo at each scale."""
        return self.scales or (self.size,)
