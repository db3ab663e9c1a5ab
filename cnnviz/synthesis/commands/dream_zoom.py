"""How ``cnnviz dream --zoom`` makes a clip of a photo: an endless zoom."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from cnnviz.app.clip_plan import ClipFrame, ClipPlan
from cnnviz.app.session import PhotoInput, Session
from cnnviz.synthesis.commands.ascent_options import settings_of
from cnnviz.synthesis.commands.dream_inputs import objective_with_guides
from cnnviz.synthesis.commands.dream_options import Options, Record, objective_terms

if TYPE_CHECKING:
    from torch import Tensor

    from cnnviz.app.clip_plan import Arrays
    from cnnviz.video.coherence import FrameStylizer

RATE = 25  # frames per second


def plan_zoom(session: Session, options: Options, photo: PhotoInput) -> ClipPlan:
    """Return how the clip of a zoom into a photo is made."""
    from cnnviz.io.convert import resize_long_side
    from cnnviz.synthesis.color_transfer import ColorMatchedStylizer
    from cnnviz.synthesis.dream import DreamSettings
    from cnnviz.synthesis.frame_dream import coherence_settings, make_stylizer, unit_tensor

    network, count, spec = session.network, options.zoom or 0, objective_with_guides(options)
    first = resize_long_side(photo.image, options.long_side)
    stylizer = make_stylizer(network, first, spec, settings_of(DreamSettings, options), options.seed,
                             sequence_over=count if options.layer_sequence else 0)  # fmt: skip
    start = unit_tensor(first, network)
    rate = Fraction(options.rate or RATE).limit_denominator(1001)
    steps = coherence_settings(options.steps).renew
    frames = ZoomFrames(start, ColorMatchedStylizer(stylizer, start), count, steps, rate)
    record = partial(Record, network=network.name, objective=objective_terms(spec, network))
    return ClipPlan(photo.record, record, frames, ("number", "frame"), count, rate)


@dataclass(frozen=True)
class ZoomFrames:
    """The frames of a zoom of ``count`` frames into ``start``, (1, 3, H, W), ``steps`` each, for ``ClipPlan``."""

    start: "Tensor"
    stylizer: "FrameStylizer"
    count: int
    steps: int
    rate: Fraction

    def __call__(self, kept: "Arrays | None") -> Iterator[ClipFrame]:
        """Yield the frames; those up to the one in ``kept`` without their image."""
        import numpy as np
        import torch

        from cnnviz.io.convert import to_image
        from cnnviz.synthesis.zoom import zoom

        last = int(kept["number"]) if kept else 0
        image = torch.from_numpy(kept["frame"]).to(self.start.device) if kept else self.start
        for number in range(last + 1 if kept else 0):
            yield ClipFrame(None, number / self.rate, 1 / self.rate)
        for frame in zoom(image, self.stylizer, self.count, steps=self.steps, start=last):
            state = {"number": np.array(frame.number), "frame": frame.tensor.float().cpu().numpy()}
            yield ClipFrame(to_image(frame.tensor), frame.number / self.rate, 1 / self.rate, partial(dict, state))
