"""``cnnviz adversarial --method``: the gate that all methods pass, and what is refused."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from cnnviz import Network, cli
from cnnviz.adversarial.commands import external_methods
from cnnviz.adversarial.target import Criterion, InputPipeline, TargetModel
from tests.conftest import PHOTOS, attacked_by

SIDE = 4


@pytest.fixture
def cat(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Image.open(PHOTOS / "chelsea.jpg") as photo:
        photo.crop((100, 30, 324, 254)).save("cat.png")


def attacked() -> tuple[TargetModel, torch.Tensor]:
    """Two classes: the first where the mean of all values is at least 100 levels; values of 110."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 2))
    with torch.no_grad():
        module[1].weight.zero_()
        module[1].weight[0] = 1.0
        module[1].bias.copy_(torch.tensor([-100 / 255 * 3 * SIDE * SIDE, 0.0]))
    network = Network.from_module(module, (SIDE, SIDE), (0, 0, 0), (1, 1, 1))
    way = InputPipeline(lambda v: v.permute(2, 0, 1)[None].float() / 255, lambda s: s[0].permute(1, 2, 0) / 255)
    return attacked_by((way, network)), torch.full((SIDE, SIDE, 3), 110, dtype=torch.uint8)


@pytest.mark.parametrize(("change", "finish", "level"), [
    (-11.3, "rounded", 11), (-10.4, "scaled", 11), (-2.0, "scaled", 11), (-0.2, None, 0), (3.0, None, 3),
])  # fmt: skip
def test_a_change_is_rounded_then_enlarged_by_as_little_as_it_takes(change, finish, level):
    subject, values = attacked()
    made, how = external_methods.quantize(subject, values, values.float() + change, Criterion(0), 255)
    assert how == finish
    assert int((made.int() - values.int()).abs().max()) == level


def test_grid_goes_on_from_the_level_that_fools_by_too_little():
    subject, values = attacked()
    aim = Criterion(0, margin=0.5)  # 48 values of 1 / 255 a level: 13 levels below 110
    made, how = external_methods._rescued(subject, values, values - 11, aim, 16)
    assert how == {"finish": "grid"}
    assert int((made.int() - values.int()).abs().max()) == 13
    assert subject.passes.backward < 60  # levels 11 and 13, and none below
    assert external_methods._rescued(subject, values, values - 3, aim, 16)[1] == {"finish": None}


def test_a_change_is_not_enlarged_beyond_the_most_levels():
    subject, values = attacked()
    assert external_methods.quantize(subject, values, values - 5.0, Criterion(0), 10)[1] is None


@pytest.mark.parametrize(("words", "said"), [
    (["--method", "fgsm", "--steps", "3"], "--method fgsm has steps of its own: leave out --steps"),
    (["--method", "fgsm", "--norm", "l2"], "--method fgsm knows no --norm l2, only linf"),
    (["--method", "fmn", "--norm", "l2"], "--method fmn knows no --norm l2, only linf, l1, l0"),
    (["--method", "deepfool", "--target-class", "toaster"], "knows no --target-class: take one of grid, pgd"),
    (["--method", "pgd", "--survive", "jpeg90"], "--survive goes with --method grid"),
    (["--method", "pgd", "--transfer", "efficientnet_lite1"], "--transfer goes with --method grid"),
])  # fmt: skip
def test_what_a_method_cannot_do_is_refused_in_a_line(cat, capsys, words, said):
    assert cli._run(["adversarial", "cat.png", *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_a_package_that_is_not_here_is_named_with_how_to_get_it(cat, capsys, monkeypatch):
    monkeypatch.setattr(external_methods, "find_spec", lambda _: None)
    assert cli._run(["adversarial", "cat.png", "--method", "square"]) == 2
    assert capsys.readouterr().err == "cnnviz: --method square needs torchattacks: pip install 'cnnviz[attacks]'\n"


def judged(name: str) -> bool:
    """Whether the network takes a file for something else than the photo."""
    from cnnviz import fit, load_network, read_photo

    network = load_network(device="cpu")
    first = [int(network(fit(read_photo(path), network)[0])[0].argmax()) for path in ("cat.png", name)]
    return first[0] != first[1]


@pytest.mark.slow
@pytest.mark.parametrize("words", [["fgsm"], ["pgd", "--target-class", "lynx"], ["deepfool"], ["fmn", "--steps", "20"],
                                   ["ddn", "--margin", "3", "--steps", "20"]])  # fmt: skip
def test_the_file_of_every_method_fools(cat, capsys, words):
    pytest.importorskip("foolbox")
    assert cli._run(["adversarial", "cat.png", "--method", *words, "--json", "-q"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["fooled"]
    assert line["method"] == words[0]
    assert line["finish"] in ("rounded", "scaled", "grid")
    assert judged("cat-adversarial.png")
    if "--margin" in words:
        assert line["margin"] >= 3


@pytest.mark.slow
@pytest.mark.parametrize("method", ["deepfool", "fgsm"])
def test_grey_stays_grey_and_a_file_is_made_again(cat, capsys, method):
    pytest.importorskip("foolbox")
    with Image.open("cat.png") as photo:
        photo.convert("L").save("grey.png")
    assert cli._run(["adversarial", "grey.png", "--method", method, "-q"]) == 0
    with Image.open("grey-adversarial.png") as made:
        assert made.mode == "L"
    assert cli._run(["show", "--rerun", "grey-adversarial.png", "-o", "again.png"]) == 0
    assert Path("grey-adversarial.png").read_bytes() == Path("again.png").read_bytes()


@pytest.mark.slow
def test_a_method_that_misses_leaves_no_file_of_another(cat, capsys):
    pytest.importorskip("foolbox")
    words = ["--method", "fmn", "--norm", "l0", "--steps", "2"]  # two steps change no more than a few values
    assert cli._run(["adversarial", "cat.png", *words, "--json", "-q"]) == 4
    line = json.loads(capsys.readouterr().out)
    assert (line["status"], line["fooled"], line["finish"], line["output"]) == ("missed", False, None, None)
