"""Clips for the tests: made of smooth colours that move, and sound that PyAV encodes."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from cnnviz.errors import PhotoError
from cnnviz.video.clip import read_clip, write_clip
from cnnviz.video.frame import Frame

RECIPE: dict[str, Any] = {"recipe": 1, "command": "dream", "options": {"text": "<&>\"' é 猫 \udcff"}, "numbers": {}}
RATE = Fraction(30000, 1001)


def world(seed: int = 0) -> np.ndarray:
    """Return smooth colours, uint8 (220, 320, 3)."""
    small = np.random.default_rng(seed).random((8, 8, 3)).astype(np.float32)
    return np.rint(cv2.resize(small, (320, 220), interpolation=cv2.INTER_CUBIC).clip(0, 1) * 255).astype(np.uint8)


def frames(count: int = 6, size: tuple[int, int] = (48, 64), rate: Fraction = RATE) -> list[Frame]:
    """Return frames of a camera that moves over those colours."""
    colours = world()[::2, ::2]
    height, width = size
    return [
        Frame(np.ascontiguousarray(colours[i : i + height, 2 * i : 2 * i + width]), i / rate, 1 / rate)
        for i in range(count)
    ]


def write(path: Path, shown: Sequence[Frame] = (), rate: Fraction = RATE, **options: Any) -> Path:
    """Write a clip and return its path."""
    write_clip(str(path), shown or frames(rate=rate), rate=rate, recipe=RECIPE, **options)
    return path


def with_sound(path: Path, codec: str = "aac", seconds: float = 1.0) -> Path:
    """Write a clip of 24 frames a second with a tone of 440 Hz, by PyAV alone."""
    rate = 48000
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=24, options={"crf": "30"})
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream(codec, rate=rate)
        sound.layout = "stereo"
        for frame in frames(round(24 * seconds), rate=Fraction(24)):
            container.mux(picture.encode(av.VideoFrame.from_ndarray(frame.picture, format="rgb24")))
        container.mux(picture.encode())
        tone = np.sin(2 * np.pi * 440 * np.arange(round(rate * seconds)) / rate).astype(np.float32)
        for at in range(0, len(tone), 960):
            part = av.AudioFrame.from_ndarray(np.tile(tone[at : at + 960], (2, 1)) / 4, format="fltp", layout="stereo")
            part.sample_rate, part.pts, part.time_base = rate, at, Fraction(1, rate)
            container.mux(sound.encode(part))
        container.mux(sound.encode())
    return path


def sound_packets(path: Path) -> list[tuple[Fraction, bytes]]:
    """Return the time and the bytes of each packet of sound in a file."""
    with av.open(str(path)) as container:
        return [
            (packet.pts * packet.time_base, bytes(packet))
            for packet in container.demux(audio=0)
            if packet.pts is not None and packet.dts is not None
        ]


def refused(path: Path) -> str:
    """Return the one line with which a clip is refused."""
    with pytest.raises(PhotoError) as caught:
        for _ in read_clip(path).frames():
            pass
    text = str(caught.value)
    assert "\n" not in text
    return text
