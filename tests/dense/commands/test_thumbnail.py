"""``cnnviz thumbnail`` from a clip to JPEG files and a film strip."""

from pathlib import Path

import pytest
from PIL import Image

from cnnviz.cli import invoke
from cnnviz.io.recipe import read_recipe
from tests.conftest import PHOTOS
from tests.support import results
from tests.support.figure_files import check_figure_files
from tests.support.lines import json_lines
from tests.support.scenes import SIZE, write_scenes


@pytest.fixture
def clip(tmp_path, monkeypatch, commanded) -> Path:
    """A clip of scenes, clip.png, and a small network."""
    commanded(results.network())
    monkeypatch.chdir(tmp_path)
    return write_scenes(tmp_path / "clip.png")


def test_jpeg_files_and_a_strip_best_first(clip, capsys):
    (line,) = json_lines(capsys, "thumbnail", "clip.png", "-n", "2", "-q")
    assert line["output"] == "clip-thumbnail.png"
    assert [frame["file"] for frame in line["frames"]] == [
        f"clip-thumbnail-{number}.jpg" for number in range(1, len(line["frames"]) + 1)]  # fmt: skip
    for frame in line["frames"]:
        with Image.open(frame["file"]) as image:
            assert (image.format, image.size) == ("JPEG", SIZE[::-1])
        assert frame["time"] == pytest.approx((frame["index"] + 7) / 10)  # an APNG holds eight black frames as one
    assert [frame["score"] for frame in line["frames"]] == sorted(
        (frame["score"] for frame in line["frames"]), reverse=True)  # fmt: skip
    recipe = read_recipe(Path("clip-thumbnail.png"))
    assert "file" not in recipe["numbers"]["frames"][0]
    assert "av" in recipe["versions"]
    assert read_recipe(Path("clip-thumbnail-1.jpg"))["numbers"]["index"] == line["frames"][0]["index"]
    assert invoke(["show", "--rerun", "clip-thumbnail-1.jpg", "-o", "again.jpg"]) == 1  # not the strip under its name


def test_the_strip_alone_on_standard_output(clip, capfdbinary):
    assert invoke(["thumbnail", "clip.png", "-n", "1", "-o", "-", "-q"]) == 0
    assert capfdbinary.readouterr().out.startswith(b"\x89PNG")
    assert list(clip.parent.glob("*.jpg")) == []


def test_no_file_of_others_is_replaced(clip, capsys):
    Path("clip-thumbnail-2.jpg").write_bytes(b"mine")
    assert invoke(["thumbnail", "clip.png", "-n", "2"]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert Path("clip-thumbnail-2.jpg").read_bytes() == b"mine"


def test_a_photo_is_a_clip_of_one_frame(clip, capsys):
    (line,) = json_lines(capsys, "thumbnail", PHOTOS / "coffee.jpg", "-q")
    assert [(frame["index"], frame["time"]) for frame in line["frames"]] == [(0, 0.0)]
    assert invoke(["thumbnail", str(PHOTOS / "coffee.jpg")]) == 0
    assert "only 1 frame" in capsys.readouterr().err


def test_what_is_no_clip_is_one_line(clip, capsys):
    Path("broken.mp4").write_bytes(b"\0\0\0\x20ftypisom no video")
    assert invoke(["thumbnail", "broken.mp4"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert invoke(["thumbnail", "."]) == 2
    assert invoke(["thumbnail", "nothing.mp4"]) == 1


def test_missing_weights_are_two_lines(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert invoke(["thumbnail", str(PHOTOS / "coffee.jpg"), "-m", "vgg16", "--offline"]) == 3
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_the_strip_as_any_file(clip):
    check_figure_files(["thumbnail", "clip.png", "-n", "2"])
