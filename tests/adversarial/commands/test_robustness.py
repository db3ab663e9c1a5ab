"""``cnnviz robustness``: levels that are known, and from a command line to a curve."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator
from PIL import Image
from torch import nn

import cnnviz
from cnnviz import Network, cli, load_network, read_photo
from cnnviz.adversarial import file_attack, robustness
from cnnviz.adversarial.minimal import AdversarialResult
from cnnviz.adversarial.target import Criterion
from cnnviz.io.recipe import read_recipe
from cnnviz.io.stored_image import StoredImage
from cnnviz.models.features import LOGITS, FeatureExtractor
from tests.conftest import PHOTOS

SCHEMA = json.loads((Path(cnnviz.__file__).parent / "data" / "schema-1.json").read_text("utf-8"))
SIDE, PIXELS = 8, 3 * 8 * 8


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    """A folder of two photos of the network's own size, two folders deep."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos/more").mkdir(parents=True)
    for name, to in (("coffee", "photos/cup.png"), ("astronaut", "photos/more/woman.png")):
        with Image.open(PHOTOS / f"{name}.jpg") as photo:
            photo.crop((100, 30, 324, 254)).save(to)
    return tmp_path


def trunk(network: Network) -> FeatureExtractor:
    return FeatureExtractor(network, [LOGITS])


def lines(capsys, *words: str, status: int = 0) -> list[dict]:
    assert cli._run(["robustness", *words, "--json", "-q"]) == status
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line in found:
        Draft202012Validator(SCHEMA).validate(line)
    return found


def bright(least: float, scale: float = 1.0) -> Network:
    """Two classes: the first where the mean of all values is at least so many levels. ``scale``, of the logits."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 2))
    with torch.no_grad():
        module[1].weight.zero_()
        module[1].weight[0] = scale
        module[1].bias.copy_(torch.tensor([-least / 255 * PIXELS * scale, 0.0]))
    return Network.from_module(module, (SIDE, SIDE), (0, 0, 0), (1, 1, 1), classes=["bright", "dark"])


@pytest.mark.parametrize("scale", [1.0, 1e-3])
@pytest.mark.parametrize(
    ("value", "eps", "level"), [(105, 8, 6), (107, 8, 8), (108, 8, None), (119, 40, 20), (94, 8, 6)]
)
def test_the_level_of_a_linear_network_is_the_closed_form(value, eps, level, scale):
    original = StoredImage(np.full((SIDE, SIDE, 3), value, np.uint8), None, None, (255, 255, 255))
    line = robustness.attacked(original, trunk(bright(99.5, scale)), "whole", eps, 0, lambda *_: None)
    assert line["levels"] == level
    assert line["fooled"] is (level is not None)
    assert line["clean_top"][0]["name"] == ("bright" if value > 100 else "dark")
    if level:
        assert line["top"][0]["name"] != line["clean_top"][0]["name"]
    assert line["noise_levels"] is None  # whose mean is nearly 0


def test_noise_is_tried_up_to_the_last_level():
    original = StoredImage(np.full((SIDE, SIDE, 3), 100, np.uint8), None, None, (255, 255, 255))
    subject = file_attack.attacked_photo(original, bright(99.995, 10), "whole")
    levels = []
    for seed in range(6):
        signs = torch.randint(0, 2, (SIDE, SIDE, 3), generator=torch.Generator().manual_seed(seed)) * 2 - 1
        levels.append(robustness._noise_level(subject, Criterion(0), torch.tensor(original.values), 1, seed))
        assert levels[-1] == (1 if signs.sum() < 0 else None)
    assert 1 in levels


def test_what_noise_does_is_found_too():
    original = StoredImage(np.full((SIDE, SIDE, 3), 100, np.uint8), None, None, (255, 255, 255))
    network = trunk(bright(99.995, 10))  # half of what one sign more or less does, away from what rounding decides
    lines = [robustness.attacked(original, network, "whole", 8, seed, lambda *_: None) for seed in range(6)]
    found = {line["noise_levels"] for line in lines}
    assert found == {1, None}  # by chance darker at once, or never


def test_the_folded_network_alone_is_not_believed(monkeypatch):
    original = StoredImage(np.full((SIDE, SIDE, 3), 102, np.uint8), None, None, (255, 255, 255))
    network, true = bright(100), file_attack.meets_criterion
    asked = []

    def fooled(aim, logits):
        asked.append(1)
        return len(asked) > 3 and true(aim, logits)

    monkeypatch.setattr(file_attack, "meets_criterion", fooled)
    line = robustness.attacked(original, trunk(network), "whole", 8, 0, lambda *_: None)
    assert line["levels"] == 5  # 3 and 4 were refused


def test_what_the_network_itself_says_counts_where_the_search_gives_up(monkeypatch):
    def grid(_attacked, values, _aim, **_options):
        return AdversarialResult(values - 7, False, 7, values)

    monkeypatch.setattr("cnnviz.adversarial.minimal.grid", grid)
    original = StoredImage(np.full((SIDE, SIDE, 3), 105, np.uint8), None, None, (255, 255, 255))
    line = robustness.attacked(original, trunk(bright(100)), "whole", 8, 0, lambda *_: None)
    assert (line["fooled"], line["levels"], line["top"][0]["name"]) == (True, 7, "dark")


def test_a_level_that_is_refused_is_not_tried_again(monkeypatch):
    asked = []

    def grid(_attacked, values, _aim, *, least, **_options):
        asked.append(least)
        return AdversarialResult(values, True, 2, values)  # saturated: changed by less than was allowed

    monkeypatch.setattr("cnnviz.adversarial.minimal.grid", grid)
    original = StoredImage(np.full((SIDE, SIDE, 3), 120, np.uint8), None, None, (255, 255, 255))
    line = robustness.attacked(original, trunk(bright(100)), "whole", 5, 0, lambda *_: None)
    assert asked == [1, 3, 4, 5]
    assert line["levels"] is None


def test_shares_and_the_median_are_counted_by_level():
    def line(level, noise):
        passes = {"forward": 2, "backward": 1}
        return {"network": "mine", "levels": level, "noise_levels": noise, "passes": passes, "warnings": {}}

    numbers = robustness.summary([line(1, None), line(3, None), line(None, 2), line(3, None)], 3)
    assert numbers["accuracy"] == [1, 0.75, 0.75, 0.25]
    assert numbers["noise_accuracy"] == [1, 1, 0.75, 0.75]
    assert (numbers["median_levels"], numbers["photos"]) == (3, 4)
    assert robustness.summary([line(3, None), line(1, None)], 3)["median_levels"] == 1  # the lower of two
    assert numbers["passes"] == {"forward": 8, "backward": 4}
    assert robustness.summary([line(1, None), line(None, 1), line(None, 1)], 3)["median_levels"] is None


def test_a_folder_gives_a_line_each_a_summary_and_a_picture(photos, capsys):
    *each, summary = lines(capsys, "photos", "--eps", "3")
    assert [line["input"] for line in each] == ["photos/cup.png", "photos/more/woman.png"]
    assert summary["output"] == "photos-robustness.png"
    assert (summary["input"], summary["photos"], summary["eps"]) == ("photos", 2, 3)
    stand = [sum(line["levels"] is None or line["levels"] > k for line in each) / 2 for k in range(4)]
    assert summary["accuracy"] == stand
    assert summary["accuracy"][1] < 1
    with Image.open("photos-robustness.png") as picture:
        assert picture.size == (robustness.WIDE, robustness.HIGH)
    recipe = read_recipe(Path("photos-robustness.png"))
    assert recipe["numbers"]["accuracy"] == stand
    assert (recipe["input"]["name"], recipe["input"]["photos"]) == ("photos", 2)
    assert cli._run(["show", "--rerun", "photos-robustness.png", "-o", "again.png"]) == 1
    assert "is made of a folder" in capsys.readouterr().err


def test_a_table_is_printed_and_an_earlier_picture_is_no_photo(photos, capsys):
    for _ in range(2):
        assert cli._run(["robustness", "photos", "--eps", "1", "-o", "photos/curve.png"]) == 0
        out, err = capsys.readouterr()
        rows = out.splitlines()
        assert rows[0].split()[1] == "photos/cup.png:"
        assert rows[2:4] == ["", "level   stand   random noise"]
        assert [row.split()[0] for row in rows[4:]] == ["0", "1"]
        assert rows[4].split()[1:] == ["100.0%", "100.0%"]
        assert err == "cnnviz: photos -> photos/curve.png\n"


def test_a_broken_photo_is_told_and_the_rest_is_measured(photos, capsys):
    Path("photos/broken.png").write_bytes(b"no picture")
    first, *_, summary = lines(capsys, "photos", "--eps", "1", status=1)
    assert (first["status"], first["input"]) == ("error", "photos/broken.png")
    assert summary["photos"] == 2


def test_nothing_is_drawn_where_nothing_could_be_read(photos, capsys):
    Path("broken.png").write_bytes(b"no picture")
    [line] = lines(capsys, "broken.png", status=1)
    assert line["status"] == "error"
    assert not Path("broken-robustness.png").exists()


@pytest.mark.parametrize(("words", "said"), [
    (["photos/cup.png", "-o", "photos/cup.png"], "is an input, and an input is never written to"),
    (["photos", "-o", "-", "--json"], "not both"),
    (["photos", "-o", "curve.txt"], "end the name in .png, .jpg, .jpeg, .webp"),
    (["photos", "--eps", "0"], "0 is not in the range"),
    (["nowhere/"], "no such file"),
])  # fmt: skip
def test_what_cannot_be_is_refused_in_a_line(photos, capsys, words, said):
    before = Path("photos/cup.png").read_bytes()
    assert cli._run(["robustness", *words]) in (1, 2)
    out, err = capsys.readouterr()
    assert (out.count("\n"), err.count("\n")) == (0, 1)
    assert said in err
    assert Path("photos/cup.png").read_bytes() == before


def test_the_picture_goes_to_standard_output(photos, capfdbinary):
    assert cli._run(["robustness", "photos/cup.png", "--eps", "1", "-o", "-", "-q"]) == 0
    sys.stdout.flush()
    assert capfdbinary.readouterr().out.startswith(b"\x89PNG")


def test_a_level_of_the_real_network_is_a_change_that_fools_it(photos):
    network = load_network(device="cpu")
    values = read_photo("photos/cup.png")
    line = robustness.attacked(
        StoredImage(values, None, None, (255,) * 3), trunk(network), "crop", 8, 0, lambda *_: None
    )
    assert line["fooled"]
    assert line["levels"] <= 2
    assert line["clean_top"][0]["index"] != line["top"][0]["index"]
