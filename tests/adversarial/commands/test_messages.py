"""What a person reads of attacked photos, and which requirements a file does not meet."""

from dataclasses import replace

import pytest

from cnnviz.adversarial.commands import messages
from cnnviz.adversarial.commands.records import AttackRecord, UniversalSummary
from cnnviz.adversarial.results import OtherNetwork, Verification
from cnnviz.models.catalog import ClassProbability

CUP, POT = ClassProbability(3, "cup", 0.9), ClassProbability(4, "pot", 0.6)
OTHER = OtherNetwork("n", False, True, [CUP], [CUP])
FILE = Verification(
    levels=1, l0=9, l1=9, l2=3.0, changed=0.1, psnr=50.0, ssim=0.99, fooled=True, target=3, goal=None, margin=1.5,
    storing_levels=0, top=[POT], robust_to={}, control=False, other_networks=[],
)  # fmt: skip


def record(**other) -> AttackRecord:
    fields = vars(FILE) | {"passes": {"forward": 2, "backward": 1}, "warnings": {}, "clean_top": [CUP]} | other
    return AttackRecord(network="net", **fields)


def notes(method: str = "minimal", finish: str | None = None, **other) -> str:
    return "\n".join(messages.attack_notes(record(**other), method, finish))


def test_every_requirement_that_is_not_met_is_named():
    robust_to = {"jpeg75": False, "blur": False, "resize232": True, "resize240": False, "bilinear": True}
    others = [replace(OTHER, network="a", attacked=True, fooled=False), replace(OTHER, network="b", attacked=True),
              replace(OTHER, network="c", fooled=False)]  # fmt: skip
    file = replace(FILE, robust_to=robust_to, other_networks=others)
    unmet = messages.unmet_requirements
    assert unmet(file, 1.0, ("jpeg75", "resize", "bilinear")) == ("not after jpeg75", "not after resize", "not a")
    assert unmet(file, 2.0, ()) == ("by 1.5 logits only", "not a")
    assert unmet(replace(file, fooled=False), 1.0, ()) == ("not fooled",)


def test_a_network_that_misclassifies_the_clean_photo_is_not_said_to_be_fooled():
    assert "n (held out): fooled, cup" in notes(other_networks=[OTHER])
    other = replace(OTHER, clean_top=[ClassProbability(5, "bowl", 0.8)], attacked=True)
    assert "n (ensemble): misclassifies the clean photo, cup" in notes(other_networks=[other])
    assert "n (ensemble): fooled, cup" in notes(other_networks=[other], goal=4)


@pytest.mark.parametrize(("method", "warned", "hint"), [
    ("minimal", {}, "; a larger --eps or more --steps may help"),
    ("fgsm", {}, "; a larger --eps may help"),
    ("ddn", {}, "; more --steps may help"),
    ("pgd", {}, "; a larger --eps or more --steps may help"),
    ("minimal", {"zero_gradients": "which helps"}, ""),
])  # fmt: skip
def test_only_what_a_method_takes_is_said_to_help(method, warned, hint):
    assert messages.hint(method, warned) == hint


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


@pytest.mark.parametrize(("held_out", "end"), [(0.0, "; it does not generalise"), (1.0, "0%"), (None, "0%")])
def test_a_change_that_fools_no_held_out_photos_does_not_generalise(held_out, end):
    summary = UniversalSummary(
        network="n", photos=3, parts={"search": 2, "held_out": int(held_out is not None)}, levels=10, control_rate=0.0,
        fooling_rates={"all": 0.7, "search": 1.0, "held_out": held_out}, passes={}, warned={},
    )  # fmt: skip
    text = messages.summary_text(summary, 0.5)
    assert text.startswith("one change of at most 10 levels fools 100% of the 2 photos of the search")
    assert text.endswith(end)
