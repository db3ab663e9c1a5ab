"""``cnnviz adversarial`` from a command line to files that a loader of the test's own judges."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator
from PIL import Image, ImageCms, ImageFilter, ImageOps
from torch import nn

import cnnviz
from cnnviz import Network, cli, load_network
from cnnviz.adversarial import file_attack
from cnnviz.adversarial.target import Criterion
from cnnviz.io import photo, stored_image, write
from cnnviz.io.recipe import read_recipe
from cnnviz.models.preprocess import Geometry
from tests.support.corpus.files import swapped_profile

SCHEMA = json.loads((Path(cnnviz.__file__).parent / "data" / "schema-1.json").read_text("utf-8"))
PHOTOS = Path(__file__).parents[3] / "sample_images"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    small = Image.open(PHOTOS / "coffee.jpg").resize((300, 200))
    small.save("cup.png")
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> list[dict]:
    assert cli._run(["adversarial", *words, "--json"]) == status
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line in lines:
        Draft202012Validator(SCHEMA).validate(line)
    return lines


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
    network = cnnviz.load_network("efficientnet_lite0", device="cpu")
    with torch.no_grad():
        return network(torch.from_numpy(crop).permute(2, 0, 1)[None] / 255)[0]


def values(path: str) -> np.ndarray:
    return np.asarray(opened(path)).astype(int)


def test_the_file_fools_and_every_number_is_that_of_the_file(capsys):
    (line,) = told(capsys, "cup.png", "--report", "report.png")
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
        assert line["survival"][name] == (seen(f"spoilt.{name[:4]}") != line["target"]), name
    opened(line["output"]).filter(ImageFilter.GaussianBlur(1)).save("blurred.png")
    assert line["survival"]["blur"] == (seen("blurred.png") != line["target"])
    assert not line["control"]
    assert line["passes"]["backward"] <= 3
    report = opened("report.png")
    assert report.width > 2 * report.height
    assert read_recipe(Path("report.png"))["numbers"]["levels"] == 1
    assert cli._run(["show", "--rerun", line["output"], "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path(line["output"]).read_bytes()
    assert cli._run(["show", "--rerun", "report.png", "-o", "sheet.png"]) == 0
    assert Path("sheet.png").read_bytes() == Path("report.png").read_bytes()


def test_a_goal_a_smaller_norm_and_a_jpeg(capsys):
    (aimed,) = told(capsys, "cup.png", "--target-class", "consomme", "--norm", "l2", "-o", "aimed.png")
    assert seen("aimed.png") == aimed["top"][0]["index"] == aimed["goal"] == 925
    (jpeg,) = told(capsys, "cup.png", "-o", "cup.jpg")
    assert jpeg["fooled"]
    assert seen("cup.jpg") == jpeg["top"][0]["index"] != jpeg["target"]
    told(capsys, "cup.png", "-o", "other.jpg", "--report", "report.webp")
    assert cli._run(["show", "--rerun", "report.webp", "-o", "sheet.webp"]) == 0
    assert Path("sheet.webp").read_bytes() == Path("report.webp").read_bytes()
    assert told(capsys, "aimed.png", "--target-class", "925", "-o", "no.png", status=1)[0]["error"].endswith("already")


def test_what_cannot_be_fooled_writes_nothing_and_ends_with_4(capsys):
    words = ("cup.png", "--target-class", "banana", "--eps", "1", "--steps", "1", "-o", "b.png")
    (line,) = told(capsys, *words, status=4)
    assert (line["status"], line["output"], line["fooled"]) == ("missed", None, False)
    assert not Path("b.png").exists()
    (line,) = told(capsys, *words, "--keep-failed", status=4)
    assert line["output"] == "b.png"
    assert seen("b.png") == line["top"][0]["index"] != 954
    assert cli._run(["show", "--rerun", "b.png", "-o", "again.png"]) == 4
    assert Path("again.png").read_bytes() == Path("b.png").read_bytes()


def test_the_file_is_believed_and_not_the_search(capsys, monkeypatch):
    true = write.encode_picture
    monkeypatch.setattr(write, "encode_picture", lambda path, _, recipe: true(path, opened("cup.png"), recipe))
    (line,) = told(capsys, "cup.png", "-o", "x.png", status=4)
    assert (line["fooled"], line["levels"], line["psnr"]) == (False, 0, None)
    assert line["top"] == line["clean_top"]
    assert not Path("x.png").exists()


def test_a_recipe_that_would_change_the_picture_leaves_no_file(capsys, monkeypatch):
    true = write.encode_picture
    monkeypatch.setattr(
        write, "encode_picture", lambda path, image, recipe: true(path, opened("cup.png") if recipe else image, recipe)
    )
    (line,) = told(capsys, "cup.png", "-o", "x.png", status=1)
    assert "is not the picture that was judged" in line["error"]
    assert not Path("x.png").exists()


def test_what_was_asked_for_besides_and_is_not_reached_is_a_miss(capsys):
    words = ("cup.png", "--margin", "30", "--eps", "1", "--steps", "6", "-o", "m.png")
    (line,) = told(capsys, *words, status=4)
    assert (line["status"], line["fooled"], line["output"]) == ("missed", True, None)
    assert 0 < line["margin"] < 30
    assert not Path("m.png").exists()
    assert cli._run(["adversarial", *words]) == 4
    assert f"the best attempt fools, but by {line['margin']:.3g} logits alone" in capsys.readouterr().err


def test_sizes_between_those_tried_are_met_by_a_margin():
    network, logits = load_network("efficientnet_lite0", device="cpu"), torch.tensor([1.0, 3.0, 2.0])
    margins = [
        file_attack.criterion_for(network, logits, margin=asked, survive=("blur", "resize")).margin for asked in (0, 4)
    ]
    assert margins == [2.5, 4]
    assert file_attack.criterion_for(network, logits, survive=("blur",)).margin == 0


def test_a_search_goes_further_where_passes_are_less_exact():
    logits = torch.tensor([1.0, 30.0, 20.0])
    network = load_network("efficientnet_lite0", device="cpu", dtype="bfloat16")
    assert file_attack.criterion_for(network, logits).sure == 8 * 2**-7 * 30


@pytest.mark.parametrize("words", [(), ("--method", "universal", "-o", "made/")])
def test_a_network_of_one_class_has_nothing_to_be_fooled_to(commanded, capsys, here, words):
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1))
    commanded(Network.from_module(module, (32, 32), (0.5,) * 3, (0.5,) * 3, name="lonely"))
    opened("cup.png").save("glass.png")
    for line in told(capsys, "cup.png", "glass.png", *words, status=1):
        assert line["error"].endswith("lonely knows one class alone: there is nothing else to take a photo for")


def test_a_file_fools_by_its_first_class():
    logits = torch.tensor([1.0, 3.0, 2.0])
    asked = [Criterion(1), Criterion(0), Criterion(0, goal=1), Criterion(0, goal=2)]
    assert [file_attack.meets_criterion(aim, logits) for aim in asked] == [False, True, True, False]


def test_the_control_has_the_same_sizes_at_other_places_with_other_signs():
    before = np.full((20, 30, 3), 100, np.uint8)
    after = before.copy()
    after[:5] += 3
    after[5, 0] -= 7
    made = file_attack.noise_control(before, after).astype(int) - before
    sizes = [np.sort(np.abs(change), axis=None) for change in (made, after.astype(int) - before)]
    assert np.array_equal(*sizes)
    assert set(np.unique(made)) >= {-3, 0, 3}
    assert np.count_nonzero(made[5:]) > np.count_nonzero(made) / 2


def test_the_control_brings_nothing_hidden_into_sight():
    before, alpha = np.full((20, 30, 3), 100, np.uint8), np.full((20, 30), 255, np.uint8)
    after = before.copy()
    alpha[:10], after[:10], after[12] = 0, 200, 103
    made = file_attack.noise_control(before, after, alpha).astype(int) - before
    assert np.abs(made[10:]).max() == 3
    assert np.count_nonzero(made[10:]) == 90
    assert np.count_nonzero(made[12]) < 45


def test_slopes_of_several_ways_are_summed_each_by_its_own_way_back():
    ways = [Geometry((40, 60), (20, 30), (2, 5), (16, 16), "bicubic"), Geometry((40, 60), (24, 36), (4, 9), (16, 16))]
    slopes = np.random.default_rng(0).normal(size=(3, 3, 16, 16)).astype(np.float32)
    found = file_attack.sum_on_photo([ways[0], ways[1], ways[0]], slopes)
    want = ways[0].back(slopes[0]) + ways[1].back(slopes[1]) + ways[0].back(slopes[2])
    assert found == pytest.approx(want, abs=1e-5)


def test_a_failed_file_is_made_again_too(capsys):
    words = ("cup.png", "--target-class", "banana", "--eps", "1", "--steps", "1", "--keep-failed", "-o", "b.png")
    told(capsys, *words, status=4)
    assert cli._run(["show", "--rerun", "b.png", "-o", "again.png"]) == 4
    assert Path("again.png").read_bytes() == Path("b.png").read_bytes()


def test_a_jpeg_of_another_colour_profile_and_a_clear_webp_are_attacked_as_they_will_be_read(capsys):
    cup = opened("cup.png")
    cup.save("wide.png", icc_profile=swapped_profile(1.8))
    (line,) = told(capsys, "wide.png", "-o", "wide.jpg", "--survive", "jpeg75", "--eps", "8")
    assert line["survival"]["jpeg75"]
    cup.putalpha(Image.linear_gradient("L").resize(cup.size))
    cup.save("clear.png")
    (line,) = told(capsys, "clear.png", "-o", "clear.webp", "--target-class", "consomme", "--margin", "1")
    assert seen("clear.webp") == line["goal"] == 925


def test_what_the_loop_sees_is_what_the_file_gives_back():
    data = Path("cup.png").read_bytes()
    cup = opened("cup.png")
    cup.save("wide.png", icc_profile=swapped_profile(1.8))
    cup.putalpha(Image.linear_gradient("L").resize(cup.size))
    cup.save("clear.png")
    network = cnnviz.load_network("efficientnet_lite0", device="cpu")
    for name, path in (("cup.png", "a.jpg"), ("wide.png", "b.jpg"), ("clear.png", "c.webp"), ("clear.png", "d.png")):
        original = stored_image.decode_stored(Path(name).read_bytes())
        subject = file_attack.attacked_photo(original, network, "crop", path)
        moved = original.values ^ 1
        Path(path).write_bytes(write.encode_picture(path, original.image(moved), {"a": "recipe"}))
        assert np.array_equal(subject.photo(moved), photo.read_photo(path)), path
        views = file_attack.input_pipeline(subject, ("blur",)).see(torch.from_numpy(moved))
        assert torch.equal(views[:1], cnnviz.fit(photo.read_photo(path), network)[0]), path
    assert data == Path("cup.png").read_bytes()


def test_what_storing_alone_makes_is_that_of_the_untouched_file(capsys):
    (line,) = told(capsys, "cup.png", "-o", "cup.jpg")
    Path("plain.jpg").write_bytes(write.encode_picture("plain.jpg", opened("cup.png"), {}))
    assert line["storing_levels"] == np.abs(values("plain.jpg") - values("cup.png")).max() > 1
    (line,) = told(capsys, "cup.png")
    assert line["storing_levels"] == 0


def test_survive_is_given_with_commas_or_several_times(capsys):
    words = ("cup.png", "--survive", "jpeg90,blur", "--survive", "jpeg75, jpeg90", "--eps", "8", "-o", "s.png")
    (line,) = told(capsys, *words)
    assert all(line["survival"][name] for name in ("jpeg90", "jpeg75", "blur"))
    assert read_recipe(Path("s.png"))["options"]["survive"] == ["jpeg90", "blur", "jpeg75"]
    assert cli._run(["show", "--rerun", "s.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path("s.png").read_bytes()


def test_grey_in_a_webp_is_counted_on_what_it_stores(capsys):
    opened("cup.png").convert("L").save("grey.png")
    (line,) = told(capsys, "grey.png", "-o", "grey.webp")
    change = values("grey.webp") - values("grey.png")[..., None]
    assert (line["l0"], line["l1"]) == (np.count_nonzero(change), np.abs(change).sum())
    assert line["psnr"] == pytest.approx(10 * np.log10(255**2 / (change**2).mean()), abs=0.01)


def test_the_margin_is_the_lead_of_the_file(capsys):
    (line,) = told(capsys, "cup.png", "--survive", "resize", "--eps", "8", "-o", "m.png")
    logits = answers("m.png")
    lead = logits.max() - logits[line["target"]]
    assert line["margin"] == pytest.approx(float(lead), abs=2e-3)


@pytest.mark.slow
def test_a_strip_too_long_for_webp_is_attacked_and_judged_by_what_it_fits(capsys):
    opened("cup.png").resize((17000, 300)).save("long.png")
    (line,) = told(capsys, "long.png", "--fit", "squash")
    assert line["fooled"]
    assert "webp80" not in line["survival"]
    assert "jpeg75" in line["survival"]
    words = ("long.png", "--fit", "squash")
    (line,) = told(capsys, *words, "--survive", "webp80", status=1)
    assert line["error"] == "long.png: 17000x300 pixels are too many for --survive webp80"
    (line,) = told(capsys, *words, "-o", "long.webp", status=1)
    assert "are too many for WEBP" in line["error"]


def test_judges_of_other_classes_are_refused_before_the_attack(capsys):
    Path("names.txt").write_text("\n".join(f"class {index}" for index in range(1000)))
    for option in ("--judge", "--transfer"):
        assert cli._run(["adversarial", "cup.png", "--classes", "names.txt", option, "efficientnet_lite1"]) == 2
        assert f"{option} efficientnet_lite1: knows other classes" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--judge", "--transfer"])
def test_networks_without_names_are_told_apart_by_how_many_classes_they_know(commanded, capsys, option):
    def answering(classes):
        module = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, classes))
        return Network.from_module(module, (32, 32), (0.5,) * 3, (0.5,) * 3, name=f"of {classes}")

    assert file_attack._alike(answering(3), answering(3))
    assert not file_attack._alike(answering(3), answering(2))
    commanded(answering(3))
    assert cli._run(["adversarial", "cup.png", option, "efficientnet_lite1"]) == 2
    assert "efficientnet_lite1: knows other classes than of 3" in capsys.readouterr().err


def test_what_is_hidden_in_a_webp_is_stored_as_nearly_as_what_is_seen(capsys):
    cup = opened("cup.png").convert("RGBA")
    alpha = Image.new("L", cup.size, 255)
    alpha.paste(0, (0, 0, 100, 200))
    cup.putalpha(alpha)
    cup.save("cut.png")
    (line,) = told(capsys, "cut.png", "-o", "cut.webp")
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
    lines = told(capsys, "odd", "-o", "made/")
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
def test_what_must_survive_does_and_other_networks_are_told_apart(capsys):
    (line,) = told(
        capsys, "cup.png", "--survive", "jpeg90,jpeg75", "--transfer", "efficientnet_lite1",
        "--judge", "efficientnet_lite2", "-o", "s.png",
    )  # fmt: skip
    assert line["survival"]["jpeg90"]
    assert line["survival"]["jpeg75"]
    assert [(row["network"], row["attacked"]) for row in line["transfer"]] == [
        ("efficientnet_lite1", True), ("efficientnet_lite2", False)
    ]  # fmt: skip
    assert line["transfer"][0]["fooled"]
    for quality in (90, 75):
        opened("s.png").save("s.jpg", quality=quality)
        assert seen("s.jpg") != line["target"]


def test_wrong_words_are_refused(capsys):
    for words, error in [
        (("--survive", "rain"), "'rain' is none of"),
        (("--thorough",), "--thorough goes with --norm"),
        (("--target-class", "nothing at all"), "no class is named"),
    ]:
        assert cli._run(["adversarial", "cup.png", *words]) == 2
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
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 12, 5, 2, 2), nn.ReLU(), nn.Conv2d(12, 24, 3, 2, 1), nn.ReLU(), nn.Flatten()
        module = nn.Sequential(*layers, nn.Linear(24 * 16, 10))
    network = Network.from_module(module, (SIDE, SIDE), (0.5,) * 3, (0.5,) * 3)
    commanded(network)
    Image.fromarray(ODD[name]).save("odd.png")
    (line,) = told(capsys, "odd.png", "--norm", norm, "--eps", "255", "--steps", "10", "--report", "report.png")
    made = values(line["output"])
    assert made.shape == ODD[name].shape
    assert line["levels"] == np.abs(made - ODD[name]).max()
    assert line["fooled"]
    assert int(judged(network, "odd.png").argmax()) == line["target"]
    logits = judged(network, line["output"])
    assert int(logits.argmax()) == line["top"][0]["index"] != line["target"]
    assert line["margin"] == pytest.approx(float(logits.max() - logits[line["target"]]), abs=1e-3)


@pytest.mark.parametrize("name", ["black", "white", "half"])
def test_where_values_can_go_one_way_the_level_is_that_of_the_slopes_that_way(commanded, capsys, name):
    """On a linear network at the photo's own size the least level is known."""
    picture = {"black": 0, "white": 255, "half": np.arange(SIDE)[:, None, None] // 8 * 255}[name]
    picture = np.broadcast_to(picture, (SIDE, SIDE, 3)).astype(np.uint8)
    generator = torch.Generator().manual_seed(1)
    linear = nn.Linear(picture.size, 2)
    linear.weight.data = torch.stack((torch.randn(picture.size, generator=generator), torch.zeros(picture.size)))
    pixels = torch.from_numpy(picture).permute(2, 0, 1).float().flatten() / 255
    slope = linear.weight.data[0]
    down = slope[((pixels == 0) & (slope < 0)) | ((pixels == 1) & (slope > 0))].abs().sum() / 255  # for each level
    linear.bias.data = torch.tensor([6.5 * float(down) - float(slope @ pixels), 0.0])
    commanded(Network.from_module(nn.Sequential(nn.Flatten(), linear), (SIDE, SIDE), (0.0,) * 3, (1.0,) * 3))
    Image.fromarray(picture).save("flat.png")
    (line,) = told(capsys, "flat.png")
    assert (line["levels"], line["fooled"]) == (7, True)
