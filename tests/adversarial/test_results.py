"""Results are JSON as they are, and known without torch."""

import subprocess
import sys

from cnnviz.adversarial.results import OtherNetwork
from cnnviz.app.records import to_json
from cnnviz.models.catalog import ClassProbability


def test_results_are_json_and_need_no_torch():
    row = ClassProbability(3, "cup", 0.5)
    assert to_json(OtherNetwork("net", True, False, [row], [row])) == {
        "network": "net", "attacked": True, "fooled": False,
        "clean_top": [{"index": 3, "name": "cup", "probability": 0.5}],
        "top": [{"index": 3, "name": "cup", "probability": 0.5}],
    }  # fmt: skip
    code = "import cnnviz.adversarial.results, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
