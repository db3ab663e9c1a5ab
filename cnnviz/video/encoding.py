"""Video encoding: H.264 or VP9, the same bytes for the same frames, the recipe as a tag of the container."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from cnnviz.io.color import Note
from cnnviz.io.recipe import KEY, Recipe, dump_recipe
from cnnviz.video.audio import SoundTracks
from cnnviz.video.container import EXACT, open_video
from cnnviz.video.frame import Frame, Picture

# Visually lossless quality. The number of threads changes the bytes, so it is fixed. x264's macroblock tree gave other
# bytes for the same frames in 11 of 250 runs, also with one thread; without it in none.
ENCODERS = {
    "libx264": {"crf": "18", "preset": "medium", "x264-params": "mbtree=0"},
    "libvpx-vp9": {"crf": "24", "b": "0", "cpu-used": "2", "row-mt": "0"},
}
THREADS = 4
BT709, SRGB, LIMITED = 1, 13, 1  # FFmpeg's numbers of colour space, transfer and range
FINEST = 1 << 31


def write_video(
    file: BinaryIO, frames: Iterable[Frame], container: str, recipe: Recipe, rate: Fraction,
    time_base: Fraction, sound_from: Path | None, note: Note,
) -> None:  # fmt: skip
    """Write frames into an open file as ``container`` (FFmpeg's name), with the sound of another clip.

    ``rate`` in frames per second; times are rounded to multiples of ``time_base`` or of the rate's own.
    """
    options = {"fflags": "+bitexact"} | ({"movflags": "use_metadata_tags"} if container in ("mp4", "mov") else {})
    with ExitStack() as stack:
        target = stack.enter_context(av.open(file, "w", format=container, container_options=options))
        target.metadata[KEY] = dump_recipe(recipe)
        source = iter(frames)
        first = next(source)
        stream = _stream(target, first.picture, rate, time_base)
        sound = SoundTracks(stack.enter_context(open_video(sound_from)), target, note) if sound_from else None
        for packet in _packets(stream, first, source):
            if sound and packet.dts is not None:
                sound.mux(packet.dts * packet.time_base)
            target.mux(packet)
        if sound:
            sound.mux(None)


def _stream(target: OutputContainer, first: Picture, rate: Fraction, time_base: Fraction) -> VideoStream:
    encoder = "libvpx-vp9" if target.format.name == "webm" else "libx264"
    stream = target.add_stream(encoder, rate=rate, options=dict(ENCODERS[encoder]))
    assert isinstance(stream, VideoStream)
    height, width = first.shape[:2]
    stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
    context = stream.codec_context
    finest = lcm(rate.numerator, time_base.denominator)
    context.time_base = Fraction(1, finest) if finest < FINEST else time_base
    context.thread_count = THREADS
    context.colorspace, context.color_primaries, context.color_trc = BT709, BT709, SRGB
    context.color_range = LIMITED
    context.flags |= 1 << 23  # AV_CODEC_FLAG_BITEXACT: no version of the encoder in the file
    return stream


def _packets(stream: VideoStream, first: Frame, rest: Iterator[Frame]) -> "Iterator[Packet[VideoStream]]":
    tick = stream.codec_context.time_base
    assert tick is not None
    frame: Frame | None = first
    while frame is not None:
        picture = _pad_to_even(frame.picture)
        encoded = VideoFrame.from_ndarray(picture, format="rgb24").reformat(
            format="yuv420p", dst_colorspace=BT709, dst_color_range=LIMITED, interpolation=EXACT
        )
        encoded.pts, encoded.time_base, encoded.duration = round(frame.time / tick), tick, round(frame.duration / tick)
        yield from stream.encode(encoded)
        frame = next(rest, None)
    yield from stream.encode(None)


def _pad_to_even(picture: Picture) -> Picture:
    """Return an image (H, W, 3), its last row or column repeated if a side is odd: chroma is subsampled by two."""
    height, width = picture.shape[:2]
    return np.ascontiguousarray(np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))
