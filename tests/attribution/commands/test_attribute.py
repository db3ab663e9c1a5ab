"""``cnnviz attribute`` end to end."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnnviz import cli, fit, read_photo
from cnnviz.attribution.backprop import attribute
from cnnviz.attribution.commands import attribute as command
from cnnviz.io import recipe
from cnnviz.io.photo import decode_photo
from tests.conftest import PHOTOS
from tests.support.lines import checked_lines
from tests.support.networks import lite0

TWO = ["--class", "282", "--class", "285"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a folder with a photo of 451x300 pixels."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(PHOTOS / "chelsea.jpg", "cat.jpg")
    return tmp_path


def size(path: str) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_the_numbers_and_the_arrays_are_those_of_the_method(capsys):
    words = ["cat.jpg", "--method", "grad-cam,deeplift", *TWO, "--raw", "cat.npz", "--json", "-q"]
    assert cli.invoke(["attribute", *words]) == 0
    [line] = checked_lines(capsys.readouterr().out, command.attribute)
    assert (line["output"], line["raw"], line["layer"]) == ("cat-attribute.png", "cat.npz", "bn2")
    assert (line["targets"], line["methods"]) == ([282, 285], ["grad-cam", "deeplift"])
    assert max(line["gaps"]["deeplift"]) < 1e-3

    network = lite0()
    x, geometry = fit(read_photo("cat.jpg"), network)
    found = [attribute(network, x, method=name, targets=[282, 285]) for name in ("grad-cam", "deeplift")]
    raw = np.load("cat.npz")
    np.testing.assert_allclose(raw["maps"], torch.cat([one.maps for one in found]), atol=1e-6)
    np.testing.assert_array_equal(raw["photo_maps"], geometry.to_photo(raw["maps"]))
    assert raw["targets"].tolist() == [282, 285] * 2
    assert raw["methods"].tolist() == ["grad-cam"] * 2 + ["deeplift"] * 2
    assert recipe.read_recipe(Path("cat-attribute.png"))["numbers"]["methods"] == ["grad-cam", "deeplift"]


def test_evaluate_judges_every_method_and_class_of_the_arrays(capsys):
    words = ["cat.jpg", "--method", "gradient,guided", *TWO, "--raw", "cat.npz", "-q"]
    assert cli.invoke(["attribute", *words]) == 0
    judge = ["evaluate", "cat.jpg", "--map", "cat.npz", "--steps", "2", "--shifts", "1", "--json", "-q", "--overwrite"]
    assert cli.invoke(judge) == 0
    assert cli.invoke([*judge, "--class", "285", "--label", "mine"]) == 0
    both, one = [json.loads(text)["maps"] for text in capsys.readouterr().out.splitlines()]
    assert [row["label"] for row in both] == [
        "Gradient, tiger cat", "Guided backpropagation, tiger cat", "Gradient, Egyptian cat",
        "Guided backpropagation, Egyptian cat",
    ]  # fmt: skip
    assert [(row["label"], row["target"]) for row in one] == [
        ("mine, Gradient", 285), ("mine, Guided backpropagation", 285)
    ]  # fmt: skip
    assert one[1]["deletion"] == both[3]["deletion"]


def test_methods_stand_side_by_side_and_classes_in_rows():
    few = ["attribute", "cat.jpg", "--bare", "-q"]
    assert cli.invoke([*few, "-o", "one.png"]) == 0
    assert cli.invoke([*few, "--method", "gradient,guided", "-o", "two.png"]) == 0
    assert cli.invoke([*few, "--method", "gradient,guided", *TWO, "-o", "four.png"]) == 0
    assert cli.invoke([*few, *TWO, "-o", "classes.png"]) == 0
    many = "gradient,guided,deconvnet,gradient-x-input,grad-cam"
    assert cli.invoke([*few, "--method", many, "-o", "five.png"]) == 0
    assert [size(f"{name}.png") for name in ("one", "two", "four", "classes", "five")] == [
        (451, 300), (902, 300), (902, 600), (902, 300), (3 * 451, 600)
    ]  # fmt: skip


def test_a_figure_is_1920_pixels_wide_times_the_scale_on_light_or_dark_paper():
    for name, words in {"light": [], "double": ["--scale", "2"], "dark": ["--theme", "dark"]}.items():
        assert cli.invoke(["attribute", "cat.jpg", *words, "-q", "-o", f"{name}.png"]) == 0
    light, double, dark = (
        Image.open(io.BytesIO(Path(f"{name}.png").read_bytes())) for name in ("light", "double", "dark")
    )
    assert (light.width, double.width, dark.size) == (1920, 3840, light.size)
    assert double.height == 2 * light.height
    assert [round(image.info["dpi"][0]) for image in (light, double)] == [200, 400]
    assert [image.convert("RGB").getpixel((2, 2)) for image in (light, dark)] == [(255, 255, 255), (16, 17, 20)]


def test_the_ends_of_the_colour_bars_are_words_and_a_map_may_have_other_colours():
    words = ["attribute", "cat.jpg", "-q", "--method", "grad-cam,guided"]
    assert cli.invoke([*words, "-o", "auto.svg"]) == 0
    written = Path("auto.svg").read_text()
    assert all(
        f">{word}</text>" in written for word in ("most", "against", "for", "Grad-CAM", "Guided backpropagation")
    )
    assert cli.invoke(["attribute", "cat.jpg", "-q", "--bare", "-o", "auto.png"]) == 0
    assert cli.invoke(["attribute", "cat.jpg", "-q", "--bare", "--colormap", "viridis", "-o", "other.png"]) == 0
    auto, other = (decode_photo(Path(f"{name}.png").read_bytes()).astype(int) for name in ("auto", "other"))
    assert (auto[..., 0] >= auto[..., 2]).mean() > 0.99  # grey to orange
    assert (other[..., 2] > other[..., 0] + 20).mean() > 0.3  # the low end of viridis is blue


def test_a_stream_goes_in_and_out_and_the_same_seed_gives_the_same_bytes(run, photo):
    words = ["attribute", "-", "--method", "smoothgrad", "--samples", "3", "-o", "-"]
    first, second = (run(*words, stdin=photo.read_bytes()) for _ in range(2))
    assert (first.status, first.errors) == (0, [])
    assert first.stdout == second.stdout
    assert Image.open(io.BytesIO(first.stdout)).format == "PNG"
    other = run(*words, "--seed", "1", stdin=photo.read_bytes())
    assert other.stdout != first.stdout


def test_methods_come_with_commas_or_one_after_the_other():
    assert cli.invoke(["attribute", "cat.jpg", "--method", "guided,gradient", "-o", "a.png"]) == 0
    assert cli.invoke(["attribute", "cat.jpg", "--method", "guided", "--method", "gradient", "-o", "b.png"]) == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_a_rerun_makes_the_same_bytes():
    assert cli.invoke(["attribute", "cat.jpg", "--method", "guided,grad-cam", "-o", "a.png", "-q"]) == 0
    assert cli.invoke(["show", "--rerun", "a.png", "-o", "b.png"]) == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--method", "grad-cam,smoothgard"], "did you mean smoothgrad"),
        (["--method", "lrp"], "take some of gradient"),
        (["--method", ""], "take some of gradient"),
        (["--layer", "bn3"], "did you mean bn"),
        (["--layer", "classifier"], "gives no feature maps"),
        (["--layer", "bn2", "--method", "guided"], "--layer goes with --method grad-cam or guided-grad-cam"),
        (["--class", "1000"], "no class 1000"),
        (["--method", "deeplift", "--score", "probability"], "logit alone"),
        (["--noise", "-1"], "--noise"),
        (["--bare", "-o", "x.pdf"], "-o x.pdf: end the name in .png, .jpg, .jpeg, .webp"),
        (["--bare", "--theme", "dark"], "--theme"),
        (["--scale", "4"], "--scale"),
    ],
)
def test_wrong_usage_is_one_line(capsys, words, told):
    assert cli.invoke(["attribute", "cat.jpg", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert told in err
    assert not list(Path().glob("*attribute*")) + list(Path().glob("x.*"))


def test_a_folder_with_a_bad_photo_gives_the_others_and_status_one(capsys):
    Path("photos").mkdir()
    shutil.copy("cat.jpg", "photos/a.jpg")
    Path("photos/b.jpg").write_bytes(Path("cat.jpg").read_bytes()[:2000])
    assert cli.invoke(["attribute", "photos/", "-o", "out/"]) == 1
    assert [path.name for path in Path("out").iterdir()] == ["a-attribute.png"]
    assert "photos/b.jpg" in capsys.readouterr().err


def test_too_few_steps_are_told(capsys):
    assert cli.invoke(["attribute", "cat.jpg", "--method", "integrated-gradients", "--steps", "2"]) == 0
    assert "more --steps" in capsys.readouterr().err
