"""``cnnviz adversarial`` from a command line to files that a loader of the test's own judges."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator
from PIL import Image, ImageCms, ImageOps

import cnnviz
from cnnviz import cli
from cnnviz.recipe import read

SCHEMA = json.loads((Path(cnnviz.__file__).parent / "data" / "schema-1.json").read_text("utf-8"))
PHOTOS = Path(__file__).parents[2] / "sample_images"


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
    """What EfficientNet-Lite0 takes a file for, read by its publisher's recipe and nothing of cnnviz."""
    image = ImageOps.exif_transpose(opened(path))
    if image.mode in ("LA", "RGBA"):
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    image = image.convert("RGB")
    scale = 256 / min(image.size)
    small = image.resize((int(image.width * scale), int(image.height * scale)), Image.Resampling.BICUBIC)
    left, top = round((small.width - 224) / 2), round((small.height - 224) / 2)
    crop = np.asarray(small.crop((left, top, left + 224, top + 224)), np.float32)
    network = cnnviz.load_network("efficientnet_lite0", device="cpu")
    return int(network(torch.from_numpy(crop).permute(2, 0, 1)[None] / 255).argmax())


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
    assert not line["control"]
    assert line["passes"]["backward"] <= 3
    report = opened("report.png")
    assert report.width > 2 * report.height
    assert read(Path("report.png"))["numbers"]["levels"] == 1
    assert cli._run(["show", "--rerun", line["output"], "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path(line["output"]).read_bytes()


def test_a_goal_a_smaller_norm_and_a_jpeg(capsys):
    (aimed,) = told(capsys, "cup.png", "--target-class", "consomme", "--norm", "l2", "-o", "aimed.png")
    assert seen("aimed.png") == aimed["top"][0]["index"] == aimed["goal"] == 925
    (jpeg,) = told(capsys, "cup.png", "-o", "cup.jpg")
    assert jpeg["fooled"]
    assert seen("cup.jpg") == jpeg["top"][0]["index"] != jpeg["target"]
    assert told(capsys, "aimed.png", "--target-class", "925", "-o", "no.png", status=1)[0]["error"].endswith("already")


def test_what_cannot_be_fooled_writes_nothing_and_ends_with_4(capsys):
    words = ("cup.png", "--target-class", "banana", "--eps", "1", "--steps", "1", "-o", "b.png")
    (line,) = told(capsys, *words, status=4)
    assert (line["status"], line["output"], line["fooled"]) == ("missed", None, False)
    assert not Path("b.png").exists()
    (line,) = told(capsys, *words, "--keep-failed", status=4)
    assert line["output"] == "b.png"
    assert seen("b.png") == line["top"][0]["index"] != 954


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
