"""CPU time of a class image, compared with torch-lucent (its own transforms, 224 pixels); runs are interleaved.

    pip install --no-deps torch-lucent kornia kornia-rs; pip install tqdm decorator ipython
    python benchmarks/beside_lucent.py --rounds 3

torch-lucent 0.1.8 calls two functions at places where kornia no longer has them; they are put back here. One thread.
The results are stored in beside_lucent.json, in the folder of this file.
"""

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import kornia
import torch
from torch import nn

from cnnviz import fit, load_network
from cnnviz.synthesis.inceptionism import ClassSettings, inceptionism

kornia.get_rotation_matrix2d = kornia.geometry.transform.get_rotation_matrix2d
kornia.warp_affine = kornia.geometry.transform.warp_affine
from lucent.optvis import param, render, transform  # noqa: E402

TARGETS = (954, 327, 108, 701, 783, 543)  # banana, starfish, sea anemone, parachute, screw, dumbbell
STEPS = 128


def main() -> None:
    """Measure and store the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    network, plain, still = (load_network("efficientnet_lite0", device="cpu") for _ in range(3))
    plain.module.to(memory_format=torch.contiguous_format)

    def lucent(target: int) -> torch.Tensor:
        # as torchvision and timm return a network, and as lucent's examples use it; a frozen network with channels last
        # is faster: the second row
        plain.module.requires_grad_(True)
        return render_vis(plain.module, target)

    def frozen(target: int) -> torch.Tensor:
        return render_vis(still.module, target)

    def render_vis(module: nn.Module, target: int) -> torch.Tensor:
        shown = [*transform.standard_transforms, lambda x: (x - plain.mean) / plain.std]
        pictures = render.render_vis(
            module, f"classifier:{target}", lambda: param.image(224), transforms=shown,
            preprocess=False, thresholds=(STEPS,), progress=False, show_image=False,
        )  # fmt: skip
        return torch.from_numpy(pictures[-1]).permute(0, 3, 1, 2)

    kinds: dict[str, Callable[[int], torch.Tensor]] = {
        "torch-lucent": lucent,
        "torch-lucent, frozen, channels last": frozen,
        "without statistics": lambda t: (
            inceptionism(network, t, settings=ClassSettings(steps=STEPS, batchnorm_weight=0)).tensor
        ),
        "128 steps": lambda t: inceptionism(network, t, settings=ClassSettings(steps=STEPS)).tensor,
        "default": lambda t: inceptionism(network, t).tensor,
    }
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    made: dict[str, list[tuple[int, torch.Tensor]]] = {name: [] for name in kinds}
    for target in TARGETS[:rounds]:
        for name, make in kinds.items():
            start = time.process_time()
            made[name].append((target, make(target)))
            seconds[name].append(time.process_time() - start)
            print(name, target, round(seconds[name][-1], 2), flush=True)
    judge = load_network("efficientnet_lite1", device="cpu")
    found = {}
    for name, times in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(times, seconds["torch-lucent"], strict=True))
        shares = []
        for target, picture in made[name]:
            stored = (picture[0] * 255).round().byte().permute(1, 2, 0).numpy()
            with torch.inference_mode():
                shares.append(float(judge(fit(stored, judge)[0])[0].softmax(0)[target]))
        found[name] = {"seconds": round(statistics.median(times), 2), "of_torch_lucent": round(ratio, 3),
                       "probability_by_efficientnet_lite1": [round(share, 3) for share in shares]}  # fmt: skip
    text = json.dumps({"steps": STEPS, "rounds": rounds, "torch": torch.__version__, "kinds": found}, indent=2)
    Path(__file__).with_suffix(".json").write_text(text + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
