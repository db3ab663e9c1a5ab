"""JSON fields hold what the domain returns."""

from dataclasses import fields

from cnnviz.adversarial.commands.records import AttackRecord
from cnnviz.adversarial.commands.robustness import RobustnessRecord, RobustnessSummary
from cnnviz.adversarial.results import Verification
from cnnviz.adversarial.robustness import PhotoRobustness, RobustnessCurve
from cnnviz.adversarial.target import QueryCount


def names(kind: type) -> set[str]:
    return {item.name for item in fields(kind)}


def test_every_result_of_the_domain_has_its_field():
    assert names(Verification) < names(AttackRecord)
    assert names(PhotoRobustness) | {"fooled"} == names(RobustnessRecord)
    assert names(RobustnessCurve) == names(RobustnessSummary)


def test_passes_are_those_forward_and_backward():
    file = Verification(
        levels=1, l0=9, l1=9, l2=3.0, changed=0.1, psnr=50.0, ssim=0.99, fooled=True, target=3, goal=None, margin=1.5,
        storing_levels=0, top=[], robust_to={}, control=False, other_networks=[],
    )  # fmt: skip
    record = AttackRecord(network="n", clean_top=[], warnings={}, passes=QueryCount(5, 2, 1).as_dict(), **vars(file))
    assert (record.passes, record.l2) == ({"forward": 5, "backward": 2}, 3.0)
