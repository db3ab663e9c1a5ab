"""Video encoding: H.264, VP9 or FFV1, and sound; same frames, same bytes; the recipe as a tag of the container."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from heapq import merge
from itertools import chain
from math import inf, lcm
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from cnnviz.io.color import Note
from cnnviz.io.recipe import KEY, Recipe, dump_recipe
from cnnviz.video.container import EXACT, open_video
from cnnviz.video.frame import Frame

if TYPE_CHECKING:
    Make = Callable[[Packet[Stream]], Iterator[Packet[Stream]]]

# Visually lossless quality. The number of threads changes the bytes, so it is fixed. x264's macroblock tree gave other
# bytes for the same frames in 11 of 250 runs, also with one thread; without it in none.
ENCODERS = {
    "libx264": {"crf": "18", "preset": "medium", "x264-params": "mbtree=0"},
    "libvpx-vp9": {"crf": "24", "b": "0", "cpu-used": "2", "row-mt": "0"},
    "ffv1": {"level": "3", "slices": "4"},  # lossless, in RGB
}
THREADS = 4
SOUND_ENCODERS = {"mp4": "aac", "mov": "aac", "matroska": "aac", "webm": "libopus"}
SOUND_RATE = 48000  # samples per second of encoded sound: Opus does not support 44100
BT709, SRGB, LIMITED = 1, 13, 1  # FFmpeg's numbers of colour space, transfer and range
FINEST = 1 << 31


def write_video(
    file: BinaryIO, frames: Iterable[Frame], size: tuple[int, int], container: str, recipe: Recipe, rate: Fraction,
    time_base: Fraction, sound_from: Path | None, note: Note, lossless: bool = False,
) -> None:  # fmt: skip
    """Write frames of ``size`` (h, w) into an open file as ``container`` (FFmpeg's name), with ``lossless`` as FFV1.

    With the sound of another clip. ``rate`` in frames per second; times are rounded to multiples of ``time_base`` or of
    the rate's own.
    """
    options = {"fflags": "+bitexact"} | ({"movflags": "use_metadata_tags"} if container in ("mp4", "mov") else {})
    with ExitStack() as stack:
        target = stack.enter_context(av.open(file, "w", format=container, container_options=options))
        target.metadata[KEY] = dump_recipe(recipe)
        encoder = "ffv1" if lossless else "libvpx-vp9" if container == "webm" else "libx264"
        stream = _stream(target, encoder, size, rate, time_base)
        packets: Iterator[Packet[Stream]] = _packets(stream, frames)
        if sound_from:
            sound = add_sound(stack.enter_context(open_video(sound_from)), target, note)
            packets = merge(sound, packets, key=_time)
        for packet in packets:
            target.mux(packet)


def _time(packet: "Packet[Stream]") -> float | Fraction:
    """Return when a packet is decoded, in seconds; one without a time is written at once."""
    return -inf if packet.dts is None else packet.dts * packet.time_base


def _stream(
    target: OutputContainer, encoder: str, size: tuple[int, int], rate: Fraction, time_base: Fraction
) -> VideoStream:
    stream = target.add_stream(encoder, rate=rate, options=dict(ENCODERS[encoder]))
    assert isinstance(stream, VideoStream)
    height, width = size
    if encoder == "ffv1":
        stream.width, stream.height, stream.pix_fmt = width, height, "bgr0"
    else:
        stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
    context = stream.codec_context
    finest = lcm(rate.numerator, time_base.denominator)
    context.time_base = Fraction(1, finest) if finest < FINEST else time_base
    context.thread_count = THREADS
    context.color_primaries, context.color_trc = BT709, SRGB
    if encoder != "ffv1":
        context.colorspace, context.color_range = BT709, LIMITED
    context.flags |= 1 << 23  # AV_CODEC_FLAG_BITEXACT: no version of the encoder in the file
    return stream


def _packets(stream: VideoStream, frames: Iterable[Frame]) -> "Iterator[Packet[Stream]]":
    tick = stream.codec_context.time_base
    assert tick is not None
    for frame in frames:
        height, width = frame.picture.shape[:2]
        # The last row or column is repeated if chroma is subsampled by two and a side is odd.
        picture = np.pad(frame.picture, ((0, stream.height - height), (0, stream.width - width), (0, 0)), mode="edge")
        source = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        encoded = (
            source.reformat(format="bgr0")
            if stream.pix_fmt == "bgr0"
            else source.reformat(format="yuv420p", dst_colorspace=BT709, dst_color_range=LIMITED, interpolation=EXACT)
        )
        encoded.pts, encoded.time_base, encoded.duration = round(frame.time / tick), tick, round(frame.duration / tick)
        yield from stream.encode(encoded)
    yield from stream.encode(None)


def add_sound(source: InputContainer, target: OutputContainer, note: Note) -> "Iterator[Packet[Stream]]":
    """Add the sound tracks of ``source`` to ``target``; return their packets for it."""
    tracks = {track.index: _track(track, target, note) for track in source.streams.audio}
    demuxed = source.demux(*source.streams.audio) if tracks else ()
    return chain.from_iterable(tracks[packet.stream.index](packet) for packet in demuxed)


def _track(track: AudioStream, target: OutputContainer, note: Note) -> "Make":
    """Add a track to the target; return a function from a packet of the source to packets of the target."""
    try:
        copy = target.add_stream_from_template(track)
    except ValueError:  # the container does not support the codec
        encoder = SOUND_ENCODERS[target.format.name]
        note(f"its sound ({track.codec_context.name}) is not supported in {target.format.name}: encoded as {encoder}")
        return _encoder(track, target, encoder)

    def copy_packet(packet: "Packet[Stream]") -> "Iterator[Packet[Stream]]":
        if packet.dts is not None:  # the empty packet at the end has none
            packet.stream = copy
            yield packet

    return copy_packet


def _encoder(track: AudioStream, target: OutputContainer, encoder: str) -> "Make":
    stream = target.add_stream(encoder, rate=SOUND_RATE)
    assert isinstance(stream, AudioStream)
    stream.layout = "stereo" if track.codec_context.channels > 1 else "mono"
    resampler: AudioResampler | None = None

    def encode_packet(packet: "Packet[Stream]") -> "Iterator[Packet[Stream]]":
        nonlocal resampler
        resampler = resampler or AudioResampler(
            stream.format, stream.layout, SOUND_RATE, stream.codec_context.frame_size or None
        )
        last = packet.dts is None
        frames = [part for frame in track.decode(packet) for part in resampler.resample(frame)]
        for frame in frames + (resampler.resample(None) if last else []):
            yield from stream.encode(frame)
        if last:
            yield from stream.encode(None)

    return encode_packet
