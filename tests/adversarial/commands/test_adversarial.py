"""``cnnviz adversarial`` from a command line to files that a loader of the test's own judges."""

from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, ImageFilter, ImageOps
from torch import nn

from cnnviz import Network
from cnnviz.adversarial.commands.adversarial import Record, TransformNames, attack_notes, missed_text
from cnnviz.adversarial.results import OtherNetwork
from cnnviz.cli import invoke
from cnnviz.io.recipe import read_recipe
from cnnviz.models.catalog import ClassProbability
from tests.support.attacks import FILE
from tests.support.corpus.files import swapped_profile
from tests.support.figure_files import check_figure_files
from tests.support.lines import json_lines
from tests.support.networks import linear_network, lite0, random_classifier

PHOTOS = Path(__file__).parents[3] / "sample_images"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    small = Image.open(PHOTOS / "coffee.jpg").resize((300, 200))
    small.save("cup.png")
    return tmp_path


def attacked(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> list[dict]:
    return json_lines(capsys, "adversarial", *words, status=status)


def opened(path: str | Path) -> Image.Image:
    """A picture with its pixels loaded and its file closed."""
    with Image.open(path) as image:
        image.load()
        return image


def seen(path: str) -> int:
    """What EfficientNet-Lite0 takes a file for."""
    return int(answers(path).argmax())


def answers(path: str) -> torch.Tensor:
    """EfficientNet-Lite0's logits for a file, read by its publisher's recipe and nothing of cnnviz."""
    image = ImageOps.exif_transpose(opened(path))
    if image.mode in ("LA", "RGBA"):
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    image = image.convert("RGB")
    scale = 256 / min(image.size)
    small = image.resize((int(image.width * scale), int(image.height * scale)), Image.Resampling.BICUBIC)
    left, top = round((small.width - 224) / 2), round((small.height - 224) / 2)
    crop = np.asarray(small.crop((left, top, left + 224, top + 224)), np.float32)
    network = lite0()
    with torch.no_grad():
        return network(torch.from_numpy(crop).permute(2, 0, 1)[None] / 255)[0]


def values(path: str) -> np.ndarray:
    return np.asarray(opened(path)).astype(int)


def test_the_file_fools_and_every_number_is_that_of_the_file(capsys):
    (line,) = attacked(capsys, "cup.png", "--report", "report.png")
    assert line["output"] == "cup-adversarial.png"
    assert line["fooled"]
    change = values(line["output"]) - values("cup.png")
    assert line["levels"] == np.abs(change).max() == 1
    assert line["l0"] == line["l1"] == np.abs(change).sum()
    assert line["l2"] == pytest.approx(np.sqrt((change**2).sum()), abs=1e-3)
    assert line["psnr"] == pytest.approx(10 * np.log10(255**2 / (change**2).mean()), abs=0.01)
    assert seen("cup.png") == line["clean_top"][0]["index"]
    assert seen(line["output"]) == line["top"][0]["index"] != line["clean_top"][0]["index"]
    for name, spoilt in (("jpeg75", {"quality": 75}), ("webp80", {"quality": 80})):
        opened(line["output"]).save(f"spoilt.{name[:4]}", **spoilt)
        assert line["robust_to"][name] == (seen(f"spoilt.{name[:4]}") != line["target"]), name
    opened(line["output"]).filter(ImageFilter.GaussianBlur(1)).save("blurred.png")
    assert line["robust_to"]["blur"] == (seen("blurred.png") != line["target"])
    assert not line["control"]
    assert line["passes"]["backward"] <= 3
    report = opened("report.png")
    assert report.width == 1920
    assert read_recipe(Path("report.png"))["numbers"]["levels"] == 1
    assert invoke(["show", "--rerun", line["output"], "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path(line["output"]).read_bytes()
    assert invoke(["show", "--rerun", "report.png", "-o", "sheet.png"]) == 0
    assert Path("sheet.png").read_bytes() == Path("report.png").read_bytes()


def test_a_goal_a_smaller_norm_and_a_jpeg(capsys):
    (aimed,) = attacked(capsys, "cup.png", "--target-class", "consomme", "--norm", "l2", "-o", "aimed.png")
    assert seen("aimed.png") == aimed["top"][0]["index"] == aimed["goal"] == 925
    (jpeg,) = attacked(capsys, "cup.png", "-o", "cup.jpg")
    assert jpeg["fooled"]
    assert seen("cup.jpg") == jpeg["top"][0]["index"] != jpeg["target"]
    attacked(capsys, "cup.png", "-o", "other.jpg", "--report", "report.webp")
    assert invoke(["show", "--rerun", "report.webp", "-o", "sheet.webp"]) == 0
    assert Path("sheet.webp").read_bytes() == Path("report.webp").read_bytes()
    assert attacked(capsys, "aimed.png", "--target-class", "925", "-o", "no.png", status=1)[0]["error"].endswith(
        "already"
    )


def test_what_cannot_be_fooled_writes_nothing_and_ends_with_4(capsys):
    words = ("cup.png", "--target-class", "banana", "--eps", "1", "--steps", "1", "-o", "b.png")
    (line,) = attacked(capsys, *words, status=4)
    assert (line["status"], line["output"], line["fooled"]) == ("missed", None, False)
    assert not Path("b.png").exists()
    (line,) = attacked(capsys, *words, "--keep-failed", status=4)
    assert line["output"] == "b.png"
    assert seen("b.png") == line["top"][0]["index"] != 954
    assert invoke(["show", "--rerun", "b.png", "-o", "again.png"]) == 4
    assert Path("again.png").read_bytes() == Path("b.png").read_bytes()


def test_what_was_asked_for_besides_and_is_not_reached_is_a_miss(capsys):
    words = ("cup.png", "--margin", "30", "--eps", "1", "--steps", "6", "-o", "m.png")
    (line,) = attacked(capsys, *words, status=4)
    assert (line["status"], line["fooled"], line["output"]) == ("missed", True, None)
    assert 0 < line["margin"] < 30
    assert not Path("m.png").exists()
    assert invoke(["adversarial", *words]) == 4
    assert f"the best attempt fools, but by {line['margin']:.3g} logits only" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["adversarial", "universal"])
def test_a_network_of_one_class_has_nothing_to_be_fooled_to(commanded, capsys, here, command):
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1))
    commanded(Network.from_module(module, (32, 32), (0.5,) * 3, (0.5,) * 3, name="lonely"))
    opened("cup.png").save("glass.png")
    for line in json_lines(capsys, command, "cup.png", "glass.png", "-o", "made/", status=1):
        assert line["error"].endswith("lonely knows a single class: there is no other to be fooled into")


def test_a_jpeg_of_another_colour_profile_and_a_clear_webp_are_attacked_as_they_will_be_read(capsys):
    cup = opened("cup.png")
    cup.save("wide.png", icc_profile=swapped_profile(1.8))
    (line,) = attacked(capsys, "wide.png", "-o", "wide.jpg", "--robust-to", "jpeg75", "--eps", "8")
    assert line["robust_to"]["jpeg75"]
    cup.putalpha(Image.linear_gradient("L").resize(cup.size))
    cup.save("clear.png")
    (line,) = attacked(capsys, "clear.png", "-o", "clear.webp", "--target-class", "consomme", "--margin", "1")
    assert seen("clear.webp") == line["goal"] == 925


def test_transforms_are_given_with_commas_or_several_times(capsys):
    words = ("cup.png", "--robust-to", "jpeg90,blur", "--robust-to", "jpeg75, jpeg90", "--eps", "8", "-o", "s.png")
    (line,) = attacked(capsys, *words)
    assert all(line["robust_to"][name] for name in ("jpeg90", "jpeg75", "blur"))
    assert read_recipe(Path("s.png"))["options"]["robust_to"] == ["jpeg90", "blur", "jpeg75"]
    assert invoke(["show", "--rerun", "s.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path("s.png").read_bytes()


def test_grey_in_a_webp_is_counted_on_what_it_stores(capsys):
    opened("cup.png").convert("L").save("grey.png")
    (line,) = attacked(capsys, "grey.png", "-o", "grey.webp")
    change = values("grey.webp") - values("grey.png")[..., None]
    assert (line["l0"], line["l1"]) == (np.count_nonzero(change), np.abs(change).sum())
    assert line["psnr"] == pytest.approx(10 * np.log10(255**2 / (change**2).mean()), abs=0.01)


def test_the_margin_is_the_lead_of_the_file(capsys):
    (line,) = attacked(capsys, "cup.png", "--robust-to", "resize", "--eps", "8", "-o", "m.png")
    logits = answers("m.png")
    lead = logits.max() - logits[line["target"]]
    assert line["margin"] == pytest.approx(float(lead), abs=2e-3)


@pytest.mark.slow
def test_a_strip_too_long_for_webp_is_attacked_and_judged_by_what_it_fits(capsys):
    opened("cup.png").resize((17000, 300)).save("long.png")
    (line,) = attacked(capsys, "long.png", "--fit", "squash")
    assert line["fooled"]
    assert "webp80" not in line["robust_to"]
    assert "jpeg75" in line["robust_to"]
    words = ("long.png", "--fit", "squash")
    (line,) = attacked(capsys, *words, "--robust-to", "webp80", status=1)
    assert line["error"] == "long.png: 17000x300 pixels are too many for the transform webp80"
    (line,) = attacked(capsys, *words, "-o", "long.webp", status=1)
    assert "are too many for WEBP" in line["error"]


def test_networks_of_other_classes_are_refused_before_the_attack(capsys):
    Path("names.txt").write_text("\n".join(f"class {index}" for index in range(1000)))
    for option in ("--check-with", "--ensemble"):
        assert invoke(["adversarial", "cup.png", "--class-names", "names.txt", option, "efficientnet_lite1"]) == 2
        assert "efficientnet_lite1 has other classes than efficientnet_lite0" in capsys.readouterr().err


def test_what_is_hidden_in_a_webp_is_stored_as_nearly_as_what_is_seen(capsys):
    cup = opened("cup.png").convert("RGBA")
    alpha = Image.new("L", cup.size, 255)
    alpha.paste(0, (0, 0, 100, 200))
    cup.putalpha(alpha)
    cup.save("cut.png")
    (line,) = attacked(capsys, "cut.png", "-o", "cut.webp")
    assert line["psnr"] > 35
    assert not line["control"]


def kinds(folder: Path) -> dict[str, tuple[str, str]]:
    """Write odd pictures of a cup; return for each file its mode, and that of what is made of it."""
    cup = opened("cup.png")
    alpha = Image.linear_gradient("L").resize(cup.size).point(lambda value: min(255, value + 100))
    clear = cup.copy()
    clear.putalpha(alpha)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    cup.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.jpg", exif=exif, quality=95)
    cup.convert("L").save(folder / "grey.png", icc_profile=None)
    cup.save(folder / "profile.png", icc_profile=profile)
    clear.save(folder / "clear.png")
    cup.quantize(64).save(folder / "palette.png")
    cup.convert("CMYK").save(folder / "ink.jpg", quality=95)
    Image.fromarray(np.asarray(cup.convert("L"), np.uint16) * 257).save(folder / "deep.png")
    return {"turned": ("RGB", "RGB"), "grey": ("L", "L"), "profile": ("RGB", "RGB"), "clear": ("RGBA", "RGBA"),
            "palette": ("P", "RGB"), "ink": ("CMYK", "RGB"), "deep": ("I;16", "RGB")}  # fmt: skip


@pytest.mark.slow
def test_each_kind_of_file_keeps_what_can_be_kept(capsys, here):
    folder = here / "odd"
    folder.mkdir()
    expected = kinds(folder)
    lines = attacked(capsys, "odd", "-o", "made/")
    assert len(lines) == len(expected)
    for line in lines:
        name = Path(line["input"]).stem
        before, after = opened(line["input"]), opened(line["output"])
        upright = ImageOps.exif_transpose(before)
        assert (before.mode, after.mode) == expected[name], name
        assert after.size == upright.size
        assert line["fooled"]
        assert line["levels"] <= 2
        assert seen(line["output"]) != line["target"], name
    assert opened("made/profile-adversarial.png").info["icc_profile"]
    alphas = [np.asarray(opened(path).getchannel("A")) for path in ("odd/clear.png", "made/clear-adversarial.png")]
    assert np.array_equal(*alphas)


@pytest.mark.slow
def test_what_must_be_robust_is_and_other_networks_are_told_apart(capsys):
    (line,) = attacked(
        capsys, "cup.png", "--robust-to", "jpeg90,jpeg75", "--ensemble", "efficientnet_lite1",
        "--check-with", "efficientnet_lite2", "-o", "s.png",
    )  # fmt: skip
    assert line["robust_to"]["jpeg90"]
    assert line["robust_to"]["jpeg75"]
    assert [(row["network"], row["attacked"]) for row in line["other_networks"]] == [
        ("efficientnet_lite1", True), ("efficientnet_lite2", False)
    ]  # fmt: skip
    assert line["other_networks"][0]["fooled"]
    for quality in (90, 75):
        opened("s.png").save("s.jpg", quality=quality)
        assert seen("s.jpg") != line["target"]


def test_wrong_words_are_refused(capsys):
    for words, error in [
        (("--robust-to", "rain"), "'rain' is none of"),
        (("--thorough",), "--thorough requires --norm"),
        (("--target-class", "nothing at all"), "no class is named"),
    ]:
        assert invoke(["adversarial", "cup.png", *words]) == 2
        assert error in capsys.readouterr().err


SIDE = 16  # of small networks' inputs


def judged(network: Network, path: str) -> torch.Tensor:
    """What a small network says of a file: its shorter side resized to SIDE, its middle cut out, by Pillow alone."""
    image = opened(path).convert("RGB")
    scale = SIDE / min(image.size)
    small = image.resize((int(image.width * scale), int(image.height * scale)), Image.Resampling.BILINEAR)
    left, top = round((small.width - SIDE) / 2), round((small.height - SIDE) / 2)
    crop = np.asarray(small.crop((left, top, left + SIDE, top + SIDE)), np.float32)
    return network(torch.from_numpy(crop).permute(2, 0, 1)[None] / 255)[0]


def strip(high: int, wide: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (high, wide, 3), np.uint8)


HALF = np.zeros((30, 40, 3), np.uint8)
HALF[:, 20:] = 255
ODD = {
    "wide": strip(17, 500), "tall": strip(500, 17), "row": strip(1, 40), "column": strip(40, 1),
    "black": np.zeros((30, 40, 3), np.uint8), "white": np.full((30, 40, 3), 255, np.uint8), "half": HALF,
    "black-grey": np.zeros((30, 40), np.uint8), "white-grey": np.full((30, 40), 255, np.uint8),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("norm", ["linf", "l2", "l0"])
def test_strips_and_what_is_black_or_white_already_fool_as_files(commanded, capsys, name, norm):
    network = random_classifier(SIDE)
    commanded(network)
    Image.fromarray(ODD[name]).save("odd.png")
    (line,) = attacked(capsys, "odd.png", "--norm", norm, "--eps", "255", "--steps", "10", "--report", "report.png")
    made = values(line["output"])
    assert made.shape == ODD[name].shape
    assert line["levels"] == np.abs(made - ODD[name]).max()
    assert line["fooled"]
    assert int(judged(network, "odd.png").argmax()) == line["target"]
    logits = judged(network, line["output"])
    assert int(logits.argmax()) == line["top"][0]["index"] != line["target"]
    assert line["margin"] == pytest.approx(float(logits.max() - logits[line["target"]]), abs=1e-3)


def test_the_report_is_a_figure_in_every_kind_of_file(commanded, capsys):
    commanded(random_classifier(SIDE))
    check_figure_files(["adversarial", "cup.png", "-o", "made.png"], "--report")
    assert invoke(["adversarial", "cup.png", "-o", "made.pdf"]) == 2
    assert "-o made.pdf: end the name in .png" in capsys.readouterr().err


def test_the_report_of_a_missed_requirement_is_written_and_claims_no_success(commanded):
    commanded(random_classifier(SIDE))
    words = ["adversarial", "cup.png", "--margin", "1e6", "--eps", "1", "--steps", "2", "--report", "report.svg", "-q"]
    assert invoke(words) == 4
    assert "missed" in Path("report.svg").read_text("utf-8").lower()
    assert not Path("cup-adversarial.png").exists()


@pytest.mark.parametrize("name", ["black", "white", "half"])
def test_where_values_can_go_one_way_the_level_is_that_of_the_gradients_that_way(commanded, capsys, name):
    """On a linear network at the photo's own size the least level is known."""
    picture = {"black": 0, "white": 255, "half": np.arange(SIDE)[:, None, None] // 8 * 255}[name]
    picture = np.broadcast_to(picture, (SIDE, SIDE, 3)).astype(np.uint8)
    generator = torch.Generator().manual_seed(1)
    slope = torch.randn(picture.size, generator=generator)
    pixels = torch.from_numpy(picture).permute(2, 0, 1).float().flatten() / 255
    down = slope[((pixels == 0) & (slope < 0)) | ((pixels == 1) & (slope > 0))].abs().sum() / 255  # for each level
    bias = torch.tensor([6.5 * float(down) - float(slope @ pixels), 0.0])
    commanded(linear_network(torch.stack((slope, torch.zeros_like(slope))).view(2, 3, SIDE, SIDE), bias))
    Image.fromarray(picture).save("flat.png")
    (line,) = attacked(capsys, "flat.png")
    assert (line["levels"], line["fooled"]) == (7, True)


@pytest.mark.parametrize(("words", "message"), [
    (["--method", "fgsm", "--steps", "3"], "method fgsm has a fixed number of steps: leave out the steps"),
    (["--method", "fmn", "--norm", "l2"], "method fmn does not support norm l2, only linf, l1, l0"),
    (["--method", "deepfool", "--target-class", "toaster"], "takes no target class; these do: minimal, pgd"),
    (["--method", "pgd", "--robust-to", "jpeg90"], "--robust-to needs method minimal"),
    (["--method", "pgd", "--ensemble", "efficientnet_lite1"], "--ensemble needs method minimal"),
    (["--target-class", "lynx", "--ground-truth", "lynx"], "the goal and the ground truth are both lynx"),
])  # fmt: skip
def test_what_a_method_does_not_support_is_refused_in_a_line(capsys, words, message):
    pytest.importorskip("foolbox")
    assert invoke(["adversarial", "cup.png", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_missing_package_is_named_with_how_to_get_it(capsys, monkeypatch):
    monkeypatch.setattr("cnnviz.adversarial.catalog.find_spec", lambda _: None)
    assert invoke(["adversarial", "cup.png", "--method", "square"]) == 2
    assert capsys.readouterr().err == "cnnviz: method square needs torchattacks: pip install 'cnnviz[attacks]'\n"


@pytest.mark.slow
@pytest.mark.parametrize("words", [["fgsm"], ["pgd", "--target-class", "consomme"], ["deepfool"],
                                   ["fmn", "--steps", "20"], ["ddn", "--margin", "3", "--steps", "20"]])  # fmt: skip
def test_the_file_of_every_method_fools_and_is_made_again(capsys, words):
    pytest.importorskip("foolbox")
    opened("cup.png").convert("L").save("grey.png")
    (line,) = attacked(capsys, "grey.png", "--method", *words)
    assert line["method"] == words[0]
    assert line["finish"] in ("rounded", "scaled", "minimal")
    assert opened("grey-adversarial.png").mode == "L"
    assert seen("grey-adversarial.png") != seen("grey.png")
    assert line["margin"] >= (3 if "--margin" in words else 0)
    assert invoke(["show", "--rerun", "grey-adversarial.png", "-o", "again.png"]) == 0
    assert Path("grey-adversarial.png").read_bytes() == Path("again.png").read_bytes()


@pytest.mark.slow
def test_a_method_that_misses_leaves_no_file_of_another(capsys):
    pytest.importorskip("foolbox")
    words = ["--method", "fmn", "--norm", "l0", "--steps", "2"]  # two steps change no more than a few values
    (line,) = attacked(capsys, "cup.png", *words, status=4)
    assert (line["status"], line["fooled"], line["finish"], line["output"]) == ("missed", False, None, None)


def test_a_photo_that_is_misclassified_already_is_left_as_it_is(capsys):
    (line,) = attacked(capsys, "cup.png", "--ground-truth", "lynx")
    assert (line["levels"], line["fooled"], set(line["warnings"])) == (0, True, {"misclassified"})
    assert np.array_equal(values("cup-adversarial.png"), values("cup.png"))
    assert invoke(["adversarial", "cup.png", "--ground-truth", "lynx"]) == 0
    error = capsys.readouterr().err
    assert "cnnviz: cup.png: the unchanged photo is classified as " in error
    assert "already: nothing is changed" in error


CUP, POT = ClassProbability(3, "cup", 0.9), ClassProbability(4, "pot", 0.6)
OTHER = OtherNetwork("n", False, True, [CUP], [CUP])


def record(**other) -> Record:
    fields = (
        vars(FILE) | {"top": [POT], "passes": {"forward": 2, "backward": 1}, "warnings": {}, "clean_top": [CUP]} | other
    )
    return Record(network="net", **fields)


def notes(method: str = "minimal", finish: str | None = None, **other) -> str:
    return "\n".join(attack_notes(record(method=method, finish=finish, **other)))


def test_a_network_that_misclassifies_the_clean_photo_is_not_said_to_be_fooled():
    assert "n (held out): fooled, cup" in notes(other_networks=[OTHER])
    other = replace(OTHER, clean_top=[ClassProbability(5, "bowl", 0.8)], attacked=True)
    assert "n (ensemble): misclassifies the clean photo, cup" in notes(other_networks=[other])
    assert "n (ensemble): fooled, cup" in notes(other_networks=[other], goal=4)


@pytest.mark.parametrize(("method", "warned", "words"), [
    ("minimal", {}, "; a larger --eps or more --steps may help"),
    ("fgsm", {}, "; a larger --eps may help"),
    ("ddn", {}, "; more --steps may help"),
    ("pgd", {}, "; a larger --eps or more --steps may help"),
    ("minimal", {"zero_gradients": "which helps"}, ""),
])  # fmt: skip
def test_only_what_a_method_takes_is_said_to_help(method, warned, words):
    assert missed_text(record(method=method, finish=None, warnings=warned), ["x"]).partition("but x")[2] == words


def test_what_undoes_a_file_and_what_storing_makes_is_told():
    assert "1 level at most, PSNR 50.0 dB" in notes()
    robust_to = {"jpeg90": True, "webp80": False, "resize232": False, "resize240": True, "resize288": False,
                 "blur": False}  # fmt: skip
    text = notes(levels=14, storing_levels=15, robust_to=robust_to)
    assert "14 levels at most (storing alone makes 15), PSNR" in text
    lost = "WebP at quality 80, resizing (2 of 3 sizes), blurring"
    assert f"only this file fools: it is undone by {lost} (see --robust-to)" in text


@pytest.mark.parametrize(("method", "backward", "alone"), [
    ("minimal", 1, False), ("minimal", 0, True), ("square", 0, False),
])  # fmt: skip
def test_storing_alone_is_told_apart_from_an_attack(method, backward, alone):
    text = notes(method, passes={"forward": 1, "backward": backward})
    assert ("storing the photo in this file is enough" in text) is alone


def test_transforms_are_names_with_commas_each_once():
    assert TransformNames().convert("jpeg90, blur,jpeg90", None, None) == ("jpeg90", "blur")
    with pytest.raises(click.UsageError, match="'rain' is none of jpeg90"):
        TransformNames().convert("blur,rain", None, None)
