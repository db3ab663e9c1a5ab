"""Results are JSON as they are, known without torch, and say what a file misses."""

import subprocess
import sys
from dataclasses import replace

from cnnviz.adversarial.results import OtherNetwork
from cnnviz.app.records import to_json
from cnnviz.models.catalog import ClassProbability
from tests.support.attacks import FILE, TOP


def test_results_are_json_and_need_no_torch():
    row = ClassProbability(3, "cup", 0.5)
    assert to_json(OtherNetwork("net", True, False, [row], [row])) == {
        "network": "net", "attacked": True, "fooled": False,
        "clean_top": [{"index": 3, "name": "cup", "probability": 0.5}],
        "top": [{"index": 3, "name": "cup", "probability": 0.5}],
    }  # fmt: skip
    code = "import cnnviz.adversarial.results, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_requirement_that_is_not_met_is_named():
    robust_to = {"jpeg75": False, "blur": False, "resize232": True, "resize240": False, "bilinear": True}
    others = [OtherNetwork(name, attacked, fooled, TOP, TOP)
              for name, attacked, fooled in (("a", True, False), ("b", True, True), ("c", False, False))]  # fmt: skip
    file = replace(FILE, robust_to=robust_to, other_networks=others)
    names = ("jpeg75", "resize", "bilinear")
    assert file.unmet(1.0, names) == ("not after jpeg75", "not after resize", "not a")
    assert file.unmet(2.0) == ("by 1.5 logits only", "not a")
    assert replace(file, fooled=False).unmet(1.0) == ("not fooled",)
