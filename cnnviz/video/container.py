"""Frames of a video through PyAV: upright, in sRGB; damaged and truncated files are refused."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from cnnviz.errors import PhotoError
from cnnviz.text import printable
from cnnviz.video.frame import Clip, Frame, Picture

logging.getLogger("libav").addHandler(logging.NullHandler())  # otherwise it writes to standard error

# Without playlists and the like, which refer to other files and addresses.
CONTAINERS = "mov,matroska,avi,mpegts,mpeg,ogg,flv,asf,mpegvideo,h264,hevc,ivf,mxf,nut,dv"
# Bicubic, accurate rounding, full chroma on both sides: swscale's default darkens by more than a level of 255.
EXACT = 0x4 | 0x40000 | 0x2000 | 0x4000
CLOCK = re.compile(r"([0-9]{1,6}):([0-9]{2}):([0-9]{2}(?:\.[0-9]{1,9})?)")
SLACK = Fraction(1, 10)  # seconds by which the duration in a header may exceed the frames


@contextmanager
def open_video(path: str | Path) -> Iterator[InputContainer]:
    """Yield an open video; any error while it is open becomes a PhotoError."""
    try:
        # A file object, not a name: FFmpeg takes names for addresses, and does not support names that are not UTF-8.
        with open(path, "rb") as file:  # noqa: PTH123
            options = {"format_whitelist": CONTAINERS, "protocol_whitelist": ""}
            with av.open(file, "r", container_options=options, metadata_errors="replace") as container:
                yield container
    except av.error.InvalidDataError as error:
        raise PhotoError("is not a readable video, or is damaged or truncated") from error
    except av.error.FFmpegError as error:
        text = printable(str(error.strerror or type(error).__name__))
        raise PhotoError(f"is not a readable video, or is damaged ({text})") from error
    except MemoryError:
        raise PhotoError("does not fit into memory") from None


def open_container(path: str | Path, max_pixels: int) -> Clip:
    """Return the clip in a video file; its first frame is decoded as a check. Raises PhotoError."""
    with open_video(path) as container:
        stream = _video_stream(container)
        if stream.width * stream.height > max_pixels:
            raise PhotoError(f"has frames of more than {max_pixels:,} pixels; see --max-pixels")
        length = os.path.getsize(path)
        if any(entry.pos + entry.size > length for entry in stream.index_entries):
            raise PhotoError("is truncated: its index names frames beyond its end")
        if next(container.decode(stream), None) is None:
            raise PhotoError("holds no frame that can be decoded")
        time_base, sound = stream.time_base or Fraction(1, 1000), bool(container.streams.audio)
        return Clip(_rate(stream), time_base, stream.frames or None, sound, lambda: _frames(path))


def _video_stream(container: InputContainer) -> VideoStream:
    """Return the first video stream that is not a cover picture."""
    for stream in container.streams.video:
        if stream.codec_context is None:
            raise PhotoError("has a video codec that FFmpeg does not support, or is damaged")
        if not stream.disposition & Disposition.attached_pic:
            stream.thread_type = "AUTO"
            return stream
    raise PhotoError("has no video stream")


def _rate(stream: VideoStream) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate
    return Fraction(rate) if rate and rate > 0 else Fraction(25)


def _frames(path: str | Path) -> Iterator[Frame]:
    with open_video(path) as container:
        stream = _video_stream(container)
        rate, tick = _rate(stream), stream.time_base or Fraction(1, 1000)
        size, end = None, Fraction(0)
        for number, frame in enumerate(container.decode(stream)):
            picture = _upright(frame)
            size = size or picture.shape
            if frame.is_corrupt or picture.shape != size:
                what = "cannot be decoded completely" if frame.is_corrupt else "is of another size than the first"
                raise PhotoError(f"is damaged: frame {number} {what}")
            time = _on_grid(frame.pts * tick, rate, tick) if frame.pts is not None else number / rate
            duration = frame.duration * tick if frame.duration else 1 / rate
            end = time + duration
            yield Frame(picture, time, duration)
        _check_end(stream, end)


def _check_end(stream: VideoStream, end: Fraction) -> None:
    """Raise PhotoError for Matroska that ends before the duration in its header: it has no index of all frames."""
    if match := CLOCK.fullmatch(stream.metadata.get("DURATION", "")):
        duration = 3600 * int(match[1]) + 60 * int(match[2]) + Fraction(match[3])
        if stream.duration and stream.time_base:
            duration = stream.duration * stream.time_base
        if end < duration - SLACK:
            raise PhotoError(f"is truncated: {float(end):.2f} of {float(duration):.2f} seconds are there")


def _on_grid(time: Fraction, rate: Fraction, tick: Fraction) -> Fraction:
    """Return a time at the regular frame rate if it is the same up to the file's rounding."""
    regular = round(time * rate) / rate
    return regular if abs(regular - time) <= tick / 2 else time


def _upright(frame: VideoFrame) -> Picture:
    """Return a frame as uint8 RGB (H, W, 3), rotated by its metadata."""
    source: dict[str, Any] = {"src_colorspace": frame.colorspace} if frame.colorspace in (1, 5, 6, 9) else {}
    picture = frame.to_ndarray(format="rgb24", interpolation=EXACT, **source)
    turned = np.rot90(picture, round(frame.rotation / 90)) if frame.rotation else picture
    return np.ascontiguousarray(turned, dtype=np.uint8)
