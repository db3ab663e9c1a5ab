"""Deep dream over a clip in one call, from file to file."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from cnnviz.control import Control
from cnnviz.errors import PhotoError
from cnnviz.io.convert import Photo, resize_long_side
from cnnviz.models.network import Network
from cnnviz.synthesis.dream import DreamSettings
from cnnviz.synthesis.frame_dream import coherence_settings, make_stylizer
from cnnviz.synthesis.spec import ObjectiveSpec, layers_spec
from cnnviz.video.clip import read_clip
from cnnviz.video.coherence import FrameStylizer, stylize_frame
from cnnviz.video.frame import Clip, Frame
from cnnviz.video.writing import write_clip

MIN_SIDE = 16  # pixels of a frame's shorter side that optical flow requires


def dream_clip(
    network: Network,
    path: str | Path,
    output: str | Path,
    layers: str | Iterable[str] | Mapping[str, float] = (),
    *,
    objective: ObjectiveSpec | None = None,
    layer_sequence: Sequence[str] = (),
    settings: DreamSettings = DreamSettings(),
    long_side: int | None = None,
    seed: int = 0,
    control: Control = Control(),
) -> None:
    """Dream over a clip and write the result, with the clip's times and sound.

    Parameters
    ----------
    network : Network
    path : str or Path
        The clip, a file.
    output : str or Path
        Ends in .mp4, .mov, .mkv, .webm, .gif, .webp, .png or .apng.
    layers, objective : optional
        As in ``dream``.
    layer_sequence : sequence of str, default ()
        Layers that follow one another over the clip, in place of ``layers``.
    settings : DreamSettings, default DreamSettings()
        How each frame is optimised.
    long_side : int, optional
        Longer side of the result, in pixels; by default the clip's own.
    seed : int, default 0
        Seeds the random shifts.
    control : Control, default Control()
        Gets (done, frames) and remarks; after ``control.stopped()`` the clip ends there.

    Raises
    ------
    PhotoError
        For a file that is not a clip, or has frames of less than 16 pixels a side.
    OutputError
        If the result cannot be written.
    InvalidRequest
        For another ending of ``output``, and as in ``dream``.

    Examples
    --------
    >>> cnnviz.dream_clip(cnnviz.load_network(), "clip.mp4", "dreamt.mp4", "blocks.4", long_side=480)
    """
    clip = read_clip(path)
    first = first_frame(clip, long_side)
    spec = objective or layers_spec(layer_sequence or layers, network.name)
    count = clip.count or sum(1 for _ in clip.frames())
    stylizer = make_stylizer(network, first, spec, settings, seed, sequence_over=count if layer_sequence else 0)
    frames = stylized_frames(clip, stylizer, settings.steps, long_side, network.device)
    write_clip(
        str(output),
        _observed(frames, count, control),
        rate=clip.rate,
        time_base=clip.time_base,
        recipe={},
        sound_from=Path(path) if clip.sound else None,
        note=control.note,
    )


def first_frame(clip: Clip, long_side: int | None) -> Photo:
    """Return a clip's first frame, resized. Raises PhotoError if it is too small for optical flow."""
    image = resize_long_side(next(clip.frames()).picture, long_side)
    if (side := min(image.shape[:2])) < MIN_SIDE:
        raise PhotoError(f"has frames of {side} pixels a side; a clip needs {MIN_SIDE}: see --long-side")
    return image


def stylized_frames(
    clip: Clip, stylizer: FrameStylizer, steps: int, long_side: int | None, device: torch.device
) -> Iterator[Frame]:
    """Yield a clip's frames, stylized with ``steps`` steps, with their times."""
    state = None
    for frame in clip.frames():
        image = resize_long_side(frame.picture, long_side)
        state = stylize_frame(image, stylizer, coherence_settings(steps), state, device)
        yield replace(frame, picture=state.image)


def _observed(frames: Iterator[Frame], count: int, control: Control) -> Iterator[Frame]:
    for done, frame in enumerate(frames, 1):
        control.report(done, count)
        yield frame
        if control.stopped():
            return
