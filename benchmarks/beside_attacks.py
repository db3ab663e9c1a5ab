"""How small and how dear are our changes beside adv-lib's DDN and torchattacks' PGD, on the same crops of 224 pixels?

    pip install --no-deps adv-lib torchattacks visdom
    python benchmarks/beside_attacks.py --photos FOLDER --count 40

L2: the norm in levels beside that of DDN (256 levels, 100 steps), whose changes are whole levels too. Linf: the
processor time beside PGD (10 steps, +-1 level). Each takes its turn on each crop; one thread; the network sees the
values themselves. The numbers go to beside_attacks.json beside this file.
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
from cnnviz.adversarial.distances import distances
from cnnviz.adversarial.minimal import AdversarialResult, grid, smallest
from cnnviz.adversarial.target import Criterion, InputPipeline, TargetModel
from cnnviz.models.features import LOGITS, FeatureExtractor


class Plain(nn.Module):
    """The network as these packages take one."""

    def __init__(self) -> None:
        super().__init__()
        self.network = load_network("efficientnet_lite0", device="cpu")
        self.device = nn.Parameter(torch.zeros(()), requires_grad=False)  # torchattacks asks the first one where it is

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        return self.network(x)


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=40)
    options = parser.parse_args()
    torch.set_num_threads(1)
    network, plain = load_network("efficientnet_lite0", device="cpu"), Plain()
    pipeline = InputPipeline(lambda v: v.permute(2, 0, 1)[None].float() / 255, lambda s: s[0].permute(1, 2, 0) / 255)
    trunk, pgd = FeatureExtractor(network, [LOGITS]), torchattacks.PGD(plain, eps=1 / 255, alpha=1 / 1020, steps=10)
    noise = torch.Generator().manual_seed(0)

    def compared(x: Tensor, target: int) -> dict[str, dict[str, Any]]:
        values = (x[0] * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous()
        label, sign = torch.tensor([target]), torch.randint(0, 2, x.shape, generator=noise) * 2 - 1

        def measured(make: Callable[[TargetModel], Tensor]) -> dict[str, Any]:
            attacked = TargetModel(((pipeline, trunk),))
            start = time.process_time()
            made = make(attacked)  # (1, 3, h, w) in [0, 1]
            seconds = time.process_time() - start
            stored = (made * 255).round().to(torch.uint8)
            numbers = distances(values.numpy(), stored[0].permute(1, 2, 0).numpy())
            fools = int(judge(network, stored.float() / 255).argmax()) != target
            return {"l2": numbers["l2"], "psnr": numbers["psnr"], "fools": fools, "seconds": seconds,
                    "forward": attacked.passes.forward, "backward": attacked.passes.backward}  # fmt: skip

        def ours(seek: Callable[..., AdversarialResult], **settings: Any) -> dict[str, Any]:
            return measured(
                lambda a: seek(a, values, Criterion(target), **settings).values.permute(2, 0, 1)[None] / 255
            )

        return {
            "ddn": measured(lambda _: ddn(plain, x, label, steps=100, levels=256)),
            "l2": ours(smallest),
            "l2 thorough": ours(smallest, thorough=True),
            "pgd": measured(lambda _: pgd(x, label)),
            "linf": ours(grid),
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
    """Return the share that fools, and the medians and means of what was measured."""
    return {
        "fools": round(statistics.mean(row["fools"] for row in rows), 4),
        "psnr": round(statistics.median(row["psnr"] or 99.0 for row in rows), 2),
        "seconds": round(statistics.median(row["seconds"] for row in rows), 3),
        "forward": round(statistics.mean(row["forward"] for row in rows), 2),
        "backward": round(statistics.mean(row["backward"] for row in rows), 2),
    }


if __name__ == "__main__":
    main()
