"""What an attack says of networks whose answers tell less than they seem to."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cnnviz import Network, cli
from cnnviz.adversarial import diagnostics

SIDE = 8


class Shaky(nn.Module):
    """Its input, and noise that is another each time."""

    def forward(self, x):
        return x + 0.01 * torch.randn_like(x)


def network(*end: nn.Module, scale: float = 1.0) -> Network:
    """Four classes of a small picture; ``end`` comes behind their logits."""
    linear = nn.Linear(3 * SIDE * SIDE, 4)
    generator = torch.Generator().manual_seed(0)
    linear.weight.data = scale * torch.randn(linear.weight.shape, generator=generator)
    linear.bias.data = torch.zeros(4)
    module = nn.Sequential(nn.Flatten(), linear, *end)
    return Network.from_module(module, (SIDE, SIDE), (0.5,) * 3, (0.5,) * 3, ["a", "b", "c", "d"])


@pytest.fixture
def photo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    Image.fromarray(noise).save("photo.png")
    return noise


def lines(capsys, *words: str, status: int = 0) -> tuple[list[dict], list[str]]:
    assert cli._run([*words, "--json"]) == status
    out, err = capsys.readouterr()
    return [json.loads(line) for line in out.splitlines()], err.splitlines()


COMMANDS = pytest.mark.parametrize("command", ["adversarial", "robustness"])


@COMMANDS
def test_of_an_ordinary_network_there_is_nothing_to_say(photo, commanded, capsys, command):
    commanded(network())
    found, said = lines(capsys, command, "photo.png")
    assert found[0]["warnings"] == {}
    assert found[-1].get("warned", {}) == {}
    assert not any("gradient" in line or "differently" in line for line in said)


@COMMANDS
def test_gradients_that_vanish_are_told(photo, commanded, capsys, command):
    commanded(network(nn.Softmax(1), scale=1e3))  # so sure that float32 knows 0 and 1 alone
    words = ("--keep-failed", "--eps", "1", "--steps", "3") if command == "adversarial" else ("--eps", "1")
    found, said = lines(capsys, command, "photo.png", *words, status=4 if command == "adversarial" else 0)
    assert set(found[0]["warnings"]) == {"zero_gradients", "probabilities"}
    assert found[-1].get("warned", {"zero_gradients": 1, "probabilities": 1}) == {
        "zero_gradients": 1,
        "probabilities": 1,
    }
    assert [line for line in said if line.startswith("cnnviz: photo.png:") and "zero everywhere" in line]
    assert len([line for line in said if "look like probabilities" in line]) == 1


@COMMANDS
def test_a_network_that_answers_by_chance_is_told(photo, commanded, capsys, command):
    commanded(network(Shaky()))
    found, said = lines(capsys, command, "photo.png")
    assert set(found[0]["warnings"]) == {"randomized"}
    assert len([line for line in said if "differently each time" in line]) == 1


def test_of_a_network_is_told_once_and_of_each_photo_each_time(photo, commanded, capsys):
    commanded(network(nn.Softmax(1)))
    Image.fromarray(photo).save("other.png")
    first = int(network()(torch.from_numpy(photo).permute(2, 0, 1)[None] / 255).argmax())
    found, said = lines(capsys, "robustness", "photo.png", "other.png", "--true-class", "abcd"[first - 1])
    assert [set(line["warnings"]) for line in found[:2]] == [{"probabilities", "misclassified"}] * 2
    assert found[2]["warned"] == {"probabilities": 2, "misclassified": 2}
    assert len([line for line in said if "probabilities" in line]) == 1
    assert len([line for line in said if "before anything is changed" in line]) == 2


def test_a_photo_that_is_taken_for_something_else_already_is_told_and_left_as_it_is(photo, commanded, capsys):
    commanded(network())
    first = int(network()(torch.from_numpy(photo).permute(2, 0, 1)[None] / 255).argmax())
    name, true = "abcd"[first], "abcd"[first - 1]
    (line,), said = lines(capsys, "adversarial", "photo.png", "--true-class", true)
    assert line["warnings"] == {"misclassified": f"is taken for {name} and not for {true} before anything is changed"}
    assert (line["target"], line["levels"], line["fooled"]) == ("abcd".index(true), 0, True)
    with Image.open("photo-adversarial.png") as made:
        assert np.array_equal(made, photo)
    assert f"cnnviz: photo.png: {line['warnings']['misclassified']}" in said
    assert cli._run(["adversarial", "photo.png", "--true-class", true]) == 0
    assert "already: nothing is changed" in capsys.readouterr().err
    *_, numbers = lines(capsys, "robustness", "photo.png", "--true-class", true, "--eps", "2")[0]
    assert (numbers["accuracy"], numbers["noise_accuracy"], numbers["median_levels"]) == ([0, 0, 0], [0, 0, 0], 0)


def test_with_the_class_that_it_shows_a_photo_is_attacked_as_ever(photo, commanded, capsys):
    commanded(network())
    first = int(network()(torch.from_numpy(photo).permute(2, 0, 1)[None] / 255).argmax())
    (plain,), _ = lines(capsys, "adversarial", "photo.png", "-o", "a.png")
    (line,), _ = lines(capsys, "adversarial", "photo.png", "--true-class", "abcd"[first], "-o", "b.png")
    same = ("target", "levels", "l2", "margin", "passes", "warnings")
    assert [line[key] for key in same] == [plain[key] for key in same]
    goal = "abcd"[first - 1]
    assert cli._run(["adversarial", "photo.png", "--true-class", goal, "--target-class", goal, "-o", "c.png"]) == 2
    assert f"are both {goal}" in capsys.readouterr().err


@pytest.mark.parametrize(("values", "are"), [
    ([0.25, 0.25, 0.5], True), ([0.0, 1.0, 0.0], True), ([0.3, 0.3, 0.5], False), ([-0.5, 1.0, 0.5], False),
    ([1.0], False),
])  # fmt: skip
def test_probabilities_are_known_by_their_sign_and_sum(values, are):
    assert diagnostics.probabilities(torch.tensor(values)) is are


def test_a_report_names_the_warnings(photo, commanded, capsys):
    drawn = {}  # what stands below the line of the PSNR
    for name, subject in (("plain", network()), ("warned", network(nn.Softmax(1)))):
        commanded(subject)
        lines(capsys, "adversarial", "photo.png", "-o", f"{name}.png", "--report", f"{name}-report.png")
        with Image.open(f"{name}-report.png") as picture:
            drawn[name] = np.asarray(picture)[-145:, picture.width // 3 + 20 : 2 * picture.width // 3]
    assert (drawn["plain"] == 255).all()
    assert (drawn["warned"] < 100).any()
