"""Encoded videos: colours, even sides; sound: the same packets where the container takes them, else the same tone."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from cnnviz.video.clip import read_clip, write_clip
from cnnviz.video.frame import Frame
from tests.support import clips


@pytest.mark.parametrize("ending", [".mp4", ".webm"])
def test_grey_and_colours_keep_their_brightness(tmp_path: Path, ending: str) -> None:
    for colour in ((0, 0, 0), (255, 255, 255), (128, 128, 128), (200, 60, 30), (30, 90, 200)):
        flat = np.full((48, 64, 3), colour, np.uint8)
        shown = [Frame(flat, n / clips.RATE, 1 / clips.RATE) for n in range(3)]
        for frame in read_clip(clips.write(tmp_path / f"a{ending}", shown)).frames():
            assert np.abs(frame.picture.mean((0, 1)) - colour).max() <= 1.5


def test_odd_sides_are_padded_for_h264_alone(tmp_path: Path) -> None:
    shown = clips.frames(3, (47, 61))
    for ending, size in ((".mp4", (48, 62)), (".png", (47, 61))):
        picture = next(read_clip(clips.write(tmp_path / f"a{ending}", shown)).frames()).picture
        assert picture.shape[:2] == size
        assert np.abs(picture[:47, :61].astype(int) - shown[0].picture).mean() < 3
        assert np.abs(picture[-1].astype(int) - picture[46]).mean() < 3


@pytest.mark.parametrize("ending", [".mkv", ".png", ".webp"])
def test_lossless_formats_return_every_value_and_time(tmp_path: Path, ending: str) -> None:
    noise = np.random.default_rng(0).integers(256, size=(5, 47, 61, 3), dtype=np.uint8)
    shown = [Frame(picture, Fraction(n, 25), Fraction(1, 25)) for n, picture in enumerate(noise)]
    paths = [clips.write(tmp_path / f"{name}{ending}", shown, Fraction(25), lossless=True) for name in "ab"]
    again = list(read_clip(paths[0]).frames())
    assert [(frame.time, frame.duration) for frame in again] == [(frame.time, frame.duration) for frame in shown]
    assert all(np.array_equal(a.picture, b.picture) for a, b in zip(shown, again, strict=True))
    assert paths[0].read_bytes() == paths[1].read_bytes()


def filmed(source: Path, target: Path, *, lossless: bool = False) -> list[str]:
    """Write a clip again with its own sound, and return what a person is told."""
    notes: list[str] = []
    clip = read_clip(source)
    assert clip.sound
    write_clip(
        str(target), clip.frames(), rate=clip.rate, time_base=clip.time_base, recipe=clips.RECIPE, sound_from=source,
        note=notes.append, lossless=lossless,
    )  # fmt: skip
    return notes


@pytest.mark.parametrize(("ending", "lossless"), [(".mp4", False), (".mov", False), (".mkv", False), (".mkv", True)])
def test_sound_is_copied_packet_by_packet(tmp_path: Path, ending: str, lossless: bool) -> None:
    source = clips.with_sound(tmp_path / "clip.mp4")
    target = tmp_path / f"a{ending}"
    assert filmed(source, target, lossless=lossless) == []
    before, after = clips.sound_packets(source), clips.sound_packets(target)
    assert [data for _, data in after] == [data for _, data in before]
    shift = after[0][0] - before[0][0]  # Matroska begins at 0, and moves the pictures as well
    assert all(abs(b - a - shift) <= Fraction(1, 1000) for (a, _), (b, _) in zip(before, after, strict=True))
    first, again = read_clip(source), read_clip(target)
    assert (again.rate, again.sound) == (first.rate, True)
    moved = [b.time - a.time for a, b in zip(first.frames(), again.frames(), strict=True)]
    assert all(abs(part - shift) <= Fraction(2, 1000) for part in moved)


def test_the_same_bytes_with_sound(tmp_path: Path) -> None:
    source = clips.with_sound(tmp_path / "clip.mp4")
    for ending in (".mp4", ".webm"):
        filmed(source, tmp_path / f"a{ending}")
        filmed(source, tmp_path / f"b{ending}")
        assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()


def test_sound_that_a_container_does_not_take_is_encoded_anew(tmp_path: Path) -> None:
    source = clips.with_sound(tmp_path / "clip.mp4")
    notes = filmed(source, tmp_path / "a.webm")
    assert notes == ["its sound (aac) is not supported in webm: encoded as libopus"]
    with av.open(str(tmp_path / "a.webm")) as container:
        samples = np.concatenate([frame.to_ndarray()[0].ravel() for frame in container.decode(audio=0)])
    assert abs(len(samples) / 48000 - 1) < 0.08
    middle = samples[12000:36000]
    peak = np.abs(np.fft.rfft(middle * np.hanning(len(middle)))).argmax() * 48000 / len(middle)
    assert abs(peak - 440) < 3


def test_pictures_hold_no_sound_and_say_so(tmp_path: Path) -> None:
    source = clips.with_sound(tmp_path / "clip.mp4")
    assert filmed(source, tmp_path / "a.gif") == ["GIF files have no sound: it is left out"]


def test_sound_and_pictures_lie_beside_each_other(tmp_path: Path) -> None:
    source = clips.with_sound(tmp_path / "clip.mp4", seconds=3)
    filmed(source, tmp_path / "a.mkv")
    with av.open(str(tmp_path / "a.mkv")) as container:
        packets = [packet for packet in container.demux() if packet.size and packet.pts is not None]
        order = [(packet.stream.type, float(packet.pts * packet.time_base)) for packet in packets]
    latest = {"audio": 0.0, "video": 0.0}
    for kind, time in order[10:-60]:
        latest[kind] = time
        assert abs(latest["audio"] - latest["video"]) < 1.2
