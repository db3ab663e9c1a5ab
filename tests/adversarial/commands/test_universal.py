"""``cnnviz universal``: the files of many photos, judged by a loader of the test's own."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnnviz.adversarial.commands.universal import (
    UniversalRecord,
    UniversalSummary,
    draw_pattern,
    summarize,
    summary_text,
)
from cnnviz.cli import invoke
from cnnviz.figures.style import THEMES
from cnnviz.io.recipe import read_recipe
from tests.support.lines import json_lines
from tests.support.networks import brightness_network, random_classifier

SIDE = 16
SIZES = [(16, 16), (40, 56), (64, 33), (12, 15), (48, 48), (20, 90), (31, 31)]  # height, width
WORDS = ("universal", "photos", "-o", "made/")


NETWORK = random_classifier(SIDE, scale=300)


@pytest.fixture(autouse=True)
def photos(tmp_path, monkeypatch, commanded) -> Path:
    monkeypatch.chdir(tmp_path)
    commanded(NETWORK)
    folder = tmp_path / "photos"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number, (high, wide) in enumerate(SIZES):
        small = Image.fromarray(generator.integers(60, 196, (5, 5, 3), np.uint8))
        picture = small.resize((wide, high), Image.Resampling.BICUBIC)
        (picture.convert("L") if number == 4 else picture).save(folder / f"{number}.png")
    return folder


def run_universal(capsys, *words: str, status: int = 0) -> tuple[list[dict], dict]:
    lines = json_lines(capsys, *WORDS, *words, "-q", status=status)
    return lines[:-1], lines[-1]


def opened(path: str | Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def seen(path: str | Path) -> int:
    """What the network takes a file for, by Pillow alone."""
    image = opened(path).convert("RGB")
    scale = SIDE / min(image.size)
    small = image.resize((int(image.width * scale), int(image.height * scale)), Image.Resampling.BILINEAR)
    left, top = round((small.width - SIDE) / 2), round((small.height - SIDE) / 2)
    crop = np.asarray(small.crop((left, top, left + SIDE, top + SIDE)), np.float32)
    return int(NETWORK(torch.from_numpy(crop).permute(2, 0, 1)[None] / 255)[0].argmax())


def test_rates_are_those_of_the_files_and_of_both_parts(capsys):
    lines, whole = run_universal(capsys, "--keep-failed")
    fooled = []
    for number, line in enumerate(lines):
        before, after = opened(line["input"]), opened(f"made/{number}-universal.png")
        assert (before.size, before.mode) == (after.size, after.mode)
        assert np.abs(np.asarray(before, int) - np.asarray(after, int)).max() == line["levels"] <= 10
        fooled.append(seen(line["output"]) != seen(line["input"]))
        assert line["fooled"] is fooled[-1]
        assert line["status"] == ("ok" if fooled[-1] else "missed")
    held_out = [number % 3 == 2 for number in range(len(SIZES))]
    assert [line["part"] == "held_out" for line in lines] == held_out
    assert all((line["passes"]["forward"] == 0) is out for line, out in zip(lines, held_out, strict=True))
    assert whole["fooling_rates"] == {
        "all": pytest.approx(np.mean(fooled), abs=1e-5),
        "search": pytest.approx(np.mean([one for one, out in zip(fooled, held_out, strict=True) if not out]), abs=1e-5),
        "held_out": pytest.approx(np.mean([one for one, out in zip(fooled, held_out, strict=True) if out]), abs=1e-5),
    }
    assert whole["fooling_rates"]["search"] >= 0.8
    assert (whole["photos"], whole["parts"]) == (7, {"search": 5, "held_out": 2})
    assert whole["control_rate"] < 0.5


def test_the_photo_of_the_inputs_size_and_the_pattern_show_one_change(capsys):
    _, whole = run_universal(capsys)
    change = np.asarray(opened("made/0-universal.png"), int) - np.asarray(opened("photos/0.png"), int)
    pattern = np.asarray(opened(whole["output"]), int)
    by = len(pattern) // SIDE
    assert pattern.shape == (by * SIDE, by * SIDE, 3)
    assert len(pattern) >= 480
    assert np.array_equal(pattern[::by, ::by] - 128, change * (127 // np.abs(change).max()))
    assert whole["output"] == "made/photos-pattern-universal.png"


def test_the_same_bytes_again_and_earlier_results_are_no_photos(capsys):
    run_universal(capsys)
    first = {path.name: path.read_bytes() for path in Path("made").iterdir()}
    run_universal(capsys)
    assert first == {path.name: path.read_bytes() for path in Path("made").iterdir()}
    assert invoke(["universal", "photos", "-o", "photos/", "-q"]) == 0
    lines = []
    assert invoke(["universal", "photos", "-o", "photos/", "-q", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(SIZES) + 1
    recipe = read_recipe(Path("made/0-universal.png"))
    assert (recipe["input"]["name"], recipe["input"]["photos"]) == ("photos", 7)
    assert (recipe["options"]["eps"], recipe["options"]["steps"]) == (10, 10)
    assert invoke(["show", "--rerun", "made/0-universal.png", "-o", "again.png"]) == 1
    assert "is made of many photos" in capsys.readouterr().err


def test_where_most_photos_are_not_fooled_the_status_is_4_and_no_such_file_is_there(capsys):
    lines, whole = run_universal(capsys, "--eps", "1", status=4)
    assert (whole["status"], whole["output"]) == ("missed", None)
    assert whole["fooling_rates"]["all"] <= 0.5
    assert [line["output"] for line in lines if not line["fooled"]] == [None] * sum(
        not line["fooled"] for line in lines
    )
    assert len(list(Path("made").iterdir())) == sum(line["fooled"] for line in lines)


@pytest.fixture
def bright(commanded) -> None:
    commanded(brightness_network(100, SIDE))


def greys(*levels: int) -> None:
    Path("greys").mkdir()
    for number, level in enumerate(levels):
        Image.new("RGB", (SIDE, SIDE), (level,) * 3).save(f"greys/{number}.png")


def test_half_of_the_photos_is_not_most_of_them(bright, capsys):
    greys(102, 200)
    assert invoke(["universal", "greys", "-o", "made/", "--json", "-q"]) == 4
    whole = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (whole["fooling_rates"]["all"], whole["output"]) == (0.5, None)


@pytest.mark.parametrize("refused", [(0, 1), (2,)])
def test_photos_whose_files_are_refused_have_no_part_in_the_search(bright, capsys, refused):
    greys(102, 103, 104)
    Path("made").mkdir()
    for number in refused:
        Path(f"made/{number}-universal.png").write_text("somebody's")
    assert invoke(["universal", "greys", "-o", "made/"]) == 1
    rows = capsys.readouterr().err.splitlines()
    count = 3 - len(refused)
    assert f"fools 100% of the {count} photo{'s' * (count > 1)} of the search; noise" in rows[-2]
    assert len(list(Path("made").glob("*-universal.png"))) == 4


def test_a_person_is_told_of_each_photo_and_of_all(capsys):
    Path("photos/broken.png").write_bytes(b"no picture")
    assert invoke([*WORDS, "--report", "reports/", "--theme", "dark"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    rows = err.splitlines()
    assert len([row for row in rows if "broken.png" in row]) == 1
    assert len([row for row in rows if "held-out photo, " in row]) == 2
    assert "one change of at most 10 levels fools " in rows[-2]
    assert "of the 5 photos of the search, " in rows[-2]
    assert rows[-1] == "cnnviz: photos -> made/photos-pattern-universal.png"
    reports = [opened(path) for path in Path("reports").iterdir()]
    assert [report.width for report in reports] == [1920] * len(SIZES)
    assert {"#{:02x}{:02x}{:02x}".format(*report.getpixel((0, 0))) for report in reports} == {THEMES["dark"].paper}


def test_the_changes_own_file_is_no_other(photos, capsys):
    (photos / "photos-pattern.png").write_bytes((photos / "0.png").read_bytes())
    assert invoke(WORDS) == 2
    assert "is the change's own file" in capsys.readouterr().err
    assert not Path("made").exists()


@pytest.mark.parametrize(("words", "said"), [
    (["photos", "--fit", "whole"], "needs inputs of one size"),
    (["photos/0.png"], "needs several photos"),
    (["photos/0.png", "-"], "needs several photos"),
    (["photos", "-o", "one.png"], "7 inputs need a folder"),
])  # fmt: skip
def test_what_it_cannot_do_is_refused_in_a_line(capsys, words, said):
    assert invoke(["universal", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err


def record(part: str, fooled: bool, **other) -> UniversalRecord:
    fields = {
        "levels": 3, "l0": 9, "l1": 9, "l2": 3.0, "changed": 0.1, "psnr": 50.0, "ssim": 0.99, "target": 3, "goal": None,
        "margin": 1.5, "storing_levels": 0, "top": [], "robust_to": {}, "control": False, "other_networks": [],
        "passes": {"forward": 2, "backward": 1}, "warnings": {}, "clean_top": [],
    }  # fmt: skip
    return UniversalRecord(network="n", part=part, fooled=fooled, **(fields | other))


def test_rates_are_of_all_and_of_each_part():
    records = [record("search", True), record("search", False, levels=7, warnings={"randomized": "..."})]
    summary = summarize([*records, record("held_out", False, control=True)])
    assert summary.fooling_rates == {"all": 0.333333, "search": 0.5, "held_out": 0.0}
    assert (summary.parts, summary.photos) == ({"search": 2, "held_out": 1}, 3)
    assert (summary.levels, summary.control_rate, summary.warned) == (7, 0.333333, {"randomized": 1})
    assert summary.passes == {"forward": 6, "backward": 3}
    assert summarize(records).fooling_rates["held_out"] is None


def test_the_largest_value_of_a_change_is_black_or_white():
    change = np.zeros((3, 20, 30), np.int16)
    change[0, 0, 0], change[1, 5, 5] = 10, -10
    image = draw_pattern(change)
    assert image.shape == (480, 720, 3)
    assert image[0, 0].tolist() == [128 + 120, 128, 128]
    assert image[5 * 24, 5 * 24].tolist() == [128, 128 - 120, 128]
    assert (draw_pattern(0 * change) == 128).all()


@pytest.mark.parametrize(("held_out", "end"), [(0.0, "; it does not generalise"), (1.0, "0%"), (None, "0%")])
def test_a_change_that_fools_no_held_out_photos_does_not_generalise(held_out, end):
    summary = UniversalSummary(
        network="n", photos=3, parts={"search": 2, "held_out": int(held_out is not None)}, levels=10, control_rate=0.0,
        fooling_rates={"all": 0.7, "search": 1.0, "held_out": held_out}, passes={}, warned={},
    )  # fmt: skip
    text = summary_text(summary)
    assert text.startswith("one change of at most 10 levels fools 100% of the 2 photos of the search")
    assert text.endswith(end)
