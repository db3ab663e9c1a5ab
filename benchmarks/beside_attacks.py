"""Size and cost of cnnviz's perturbations compared with adv-lib's DDN and torchattacks' PGD, on crops of 224 pixels.

    pip install --no-deps adv-lib torchattacks visdom
    python benchmarks/beside_attacks.py --photos FOLDER --count 40

L2: the norm in levels, compared with DDN (256 levels, 100 steps), whose changes are whole levels too. Linf: the CPU
time, compared with PGD (10 steps, +-1 level). The attacks are interleaved, crop by crop; one thread; the network
receives the values without a resize. The results are stored in beside_attacks.json, in the folder of this file.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torchattacks
from adv_lib.attacks import ddn
from adversarial import crops, judge, loader
from torch import Tensor, nn

from cnnviz import load_network
from cnnviz.adversarial.catalog import SearchSettings
from cnnviz.adversarial.criterion import Criterion
from cnnviz.adversarial.minimal import AdversarialResult, minimal_level, minimal_perturbation
from cnnviz.adversarial.pipeline import InputPipeline
from cnnviz.adversarial.target import TargetModel
from cnnviz.adversarial.verification import distances


class Plain(nn.Module):
    """The network in the form that these packages need: a module with at least one parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.network = load_network("efficientnet_lite0", device="cpu")
        self.device = nn.Parameter(torch.zeros(()), requires_grad=False)  # torchattacks reads its device

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        return self.network(x)


def main() -> None:
    """Measure and store the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=40)
    options = parser.parse_args()
    torch.set_num_threads(1)
    network, plain = load_network("efficientnet_lite0", device="cpu"), Plain()
    pipeline = InputPipeline(lambda v: v.permute(2, 0, 1)[None].float() / 255, lambda s: s[0].permute(1, 2, 0) / 255)
    pgd = torchattacks.PGD(plain, eps=1 / 255, alpha=1 / 1020, steps=10)
    noise = torch.Generator().manual_seed(0)

    def compared(x: Tensor, target: int) -> dict[str, dict[str, Any]]:
        values = (x[0] * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous()
        label, sign = torch.tensor([target]), torch.randint(0, 2, x.shape, generator=noise) * 2 - 1

        def measured(make: Callable[[TargetModel], Tensor]) -> dict[str, Any]:
            model = TargetModel([(pipeline, network)])
            start = time.process_time()
            made = make(model)  # (1, 3, h, w) in [0, 1]
            seconds = time.process_time() - start
            stored = (made * 255).round().to(torch.uint8)
            numbers = distances(values.numpy(), stored[0].permute(1, 2, 0).numpy())
            fools = int(judge(network, stored.float() / 255).argmax()) != target
            return {
                "l2": numbers.l2,
                "psnr": numbers.psnr,
                "fools": fools,
                "seconds": seconds,
                **model.queries.as_dict(),
            }

        def ours(search: Callable[..., AdversarialResult], **settings: Any) -> dict[str, Any]:
            return measured(
                lambda model: search(model, values, Criterion(target), **settings).values.permute(2, 0, 1)[None] / 255
            )

        return {
            "ddn": measured(lambda _: ddn(plain, x, label, steps=100, levels=256)),
            "l2": ours(minimal_perturbation, settings=SearchSettings("minimal", "l2", 255, 40)),
            "l2 thorough": ours(minimal_perturbation, settings=SearchSettings("minimal", "l2", 255, 40, True)),
            "pgd": measured(lambda _: pgd(x, label)),
            "linf": ours(minimal_level, eps=255),
            "noise of one level": measured(lambda _: (x + sign / 255).clamp(0, 1)),
        }

    rows: list[dict[str, Any]] = []
    for path, target in crops(options.photos, network, options.count, (256, 256)):
        rows.append(compared(loader(path), target))
        print(len(rows), {name: (round(row["l2"], 1), row["fools"]) for name, row in rows[-1].items()}, flush=True)
    found = {name: summary([row[name] for row in rows]) for name in rows[0]}
    for name, other in (("l2", "ddn"), ("l2 thorough", "ddn"), ("linf", "pgd")):
        for key in ("l2", "seconds"):
            ratios = sorted(row[name][key] / row[other][key] for row in rows)
            found[name] |= {f"{key}_of_{other}": round(statistics.median(ratios), 3),
                            f"{key}_of_{other}_most": round(ratios[-1], 3)}  # fmt: skip
    text = json.dumps({"torch": torch.__version__, "crops": len(rows), "attacks": found}, indent=2)
    Path(__file__).with_suffix(".json").write_text(text + "\n", "utf-8")
    print(text)


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the success rate, and the medians and means of the measurements."""
    return {
        "fools": round(statistics.mean(row["fools"] for row in rows), 4),
        "psnr": round(statistics.median(row["psnr"] or 99.0 for row in rows), 2),
        "seconds": round(statistics.median(row["seconds"] for row in rows), 3),
        "forward": round(statistics.mean(row["forward"] for row in rows), 2),
        "backward": round(statistics.mean(row["backward"] for row in rows), 2),
    }


if __name__ == "__main__":
    main()
