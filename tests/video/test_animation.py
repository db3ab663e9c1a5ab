"""Animated images: transparency, durations, disposal."""

from fractions import Fraction
from pathlib import Path

from PIL import Image

from cnnviz.video.animation import has_frames
from cnnviz.video.clip import read_clip
from tests.support import clips


def test_transparent_frames_lie_over_white_and_gifs_build_up(tmp_path: Path) -> None:
    layers = [Image.new("RGBA", (20, 16), (255, 0, 0, 255)), Image.new("RGBA", (20, 16), (0, 0, 255, 0))]
    layers[1].paste((0, 255, 0, 255), (0, 0, 10, 16))
    layers[0].save(tmp_path / "a.png", save_all=True, append_images=layers[1:], duration=[50, 120], disposal=0, blend=1)
    first, second = read_clip(tmp_path / "a.png").frames()
    assert (first.duration, second.time, second.duration) == (Fraction(1, 20), Fraction(1, 20), Fraction(3, 25))
    assert second.picture[0, 0].tolist() == [0, 255, 0]
    assert second.picture[0, 19].tolist() == [255, 0, 0]  # of the first, shining through


def test_durations_do_not_add_up_to_an_error_and_short_ones_are_those_of_players(tmp_path: Path) -> None:
    shown = clips.frames(25, rate=Fraction(30))
    read = list(read_clip(clips.write(tmp_path / "a.gif", shown, Fraction(30))).frames())
    assert {frame.duration for frame in read} == {Fraction(3, 100), Fraction(4, 100)}
    assert read[-1].time + read[-1].duration == Fraction(83, 100)  # 25/30 s, in hundredths
    images = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    images[0].save(tmp_path / "b.gif", save_all=True, append_images=images[1:], duration=10)
    assert [frame.duration for frame in read_clip(tmp_path / "b.gif").frames()] == [Fraction(1, 10)] * 2


def test_frames_are_counted_without_decoding(tmp_path: Path, photo: Path) -> None:
    assert has_frames(clips.write(tmp_path / "a.webp"))
    assert not has_frames(photo)
