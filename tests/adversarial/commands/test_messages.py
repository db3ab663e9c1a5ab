"""What a person is told of an attacked photograph."""

import pytest

from cnnviz.adversarial.commands import messages
from cnnviz.app.console import Console


def test_what_is_lacking_is_told_of_all_that_was_asked_for():
    numbers = {
        "fooled": True, "margin": 1.5,
        "survival": {"jpeg75": False, "blur": False, "resize232": True, "resize240": False, "bilinear": True},
        "transfer": [{"network": "a", "attacked": True, "fooled": False}, {"network": "b", "attacked": True,
                     "fooled": True}, {"network": "c", "attacked": False, "fooled": False}],
    }  # fmt: skip
    asked = {"margin": 1.0, "survive": ("jpeg75", "resize", "bilinear")}
    assert messages.unmet_requirements(numbers, asked) == ["not after jpeg75", "not after resize", "not a"]
    assert messages.unmet_requirements(numbers, {"margin": 2.0, "survive": ()}) == ["by 1.5 logits alone", "not a"]
    assert messages.unmet_requirements(numbers | {"fooled": False}, asked) == ["not fooled"]


def line(**other):
    top = [{"index": 3, "name": "cup", "probability": 0.9}]
    row = {"network": "n", "attacked": False, "fooled": True, "clean_top": top, "top": top}
    return {
        "status": "ok", "method": "grid", "finish": None, "goal": None, "target": 3, "levels": 1, "psnr": 50.0,
        "storing_levels": 0,
        "clean_top": top, "top": [{"index": 4, "name": "pot", "probability": 0.6}], "control": False, "survival": {},
        "passes": {"forward": 2, "backward": 1}, "transfer": [row],
    } | other  # fmt: skip


def test_a_network_that_never_said_so_is_not_said_to_be_fooled(capsys):
    messages.say(Console(), line())
    assert "n (not attacked): fooled, cup" in capsys.readouterr().err
    other = line()["transfer"][0] | {"clean_top": [{"index": 5, "name": "bowl", "probability": 0.8}]}
    messages.say(Console(), line(transfer=[other]))
    assert "n (not attacked): never said so, cup" in capsys.readouterr().err
    messages.say(Console(), line(transfer=[other], goal=4))
    assert "n (not attacked): fooled, cup" in capsys.readouterr().err


@pytest.mark.parametrize(("method", "warned", "hint"), [
    ("grid", {}, "; a larger --eps or more --steps may do"),
    ("fgsm", {}, "; a larger --eps may do"),
    ("ddn", {}, "; more --steps may do"),
    ("pgd", {}, "; a larger --eps or more --steps may do"),
    ("grid", {"zero_gradients": "which helps"}, ""),
])  # fmt: skip
def test_only_what_a_method_takes_is_said_to_help(method, warned, hint):
    assert messages._hint({"method": method, "warnings": warned}) == hint


def test_what_storing_makes_and_how_many_sizes_are_lost_is_told(capsys):
    messages.say(Console(), line())
    assert "1 level at most, PSNR" in capsys.readouterr().err
    survival = {
        "jpeg90": True,
        "webp80": False,
        "resize232": False,
        "resize240": True,
        "resize288": False,
        "blur": False,
    }
    messages.say(Console(), line(levels=14, storing_levels=15, survival=survival))
    said = capsys.readouterr().err
    assert "14 levels at most (storing alone makes 15), PSNR" in said
    assert "does not survive webp80, resize (2 of 3 sizes), blur\n" in said


def test_storing_alone_is_told_apart_from_an_attack(capsys):
    for words, alone in [({}, False), ({"passes": {"forward": 1, "backward": 0}}, True),
                         ({"passes": {"forward": 900, "backward": 0}, "method": "square"}, False)]:  # fmt: skip
        messages.say(Console(), line(**words))
        assert ("storing it in this file is enough" in capsys.readouterr().err) is alone
