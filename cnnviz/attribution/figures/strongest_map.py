"""What the panels of figure 7 show of an occlusion: tiles for ``figure7.draw``."""

from typing import TYPE_CHECKING, Any

from cnnviz.app.resume import partial_caption

if TYPE_CHECKING:
    from torch import Tensor

    from cnnviz.attribution.figures.occlusion_panels import Tile
    from cnnviz.attribution.occlusion import Occlusion, StrongestMap
    from cnnviz.models.network import Network


def tiles(network: "Network", x: "Tensor", result: "Occlusion", fill: Any, seed: int) -> "list[Tile]":
    """Return the panels (a) to (e) of Zeiler & Fergus 2013, figure 7; (d) once for each class.

    A value is drawn where its window's centre is nearest. Where a network has no max pools, (c) is guided; where it has
    layers without a rule for either, the feature map itself stands there.
    """
    import numpy as np

    from cnnviz.attribution.figures.occlusion_panels import Classes, Covered, Shades
    from cnnviz.attribution.occlusion import occluder

    shares = result.logits.double().softmax(1)
    place = result.grid.nearest(result.done)
    first, seen = result.targets[0], result.activation
    assert seen is not None  # --panels always names a layer
    lowest = int(shares[:, first].nan_to_num(2).argmin())
    cover = occluder(x, fill, network, seed)[0].float().cpu().numpy()
    clean = result.clean_logits.double().softmax(0)
    window = f"{partial_caption(result.done)}{result.window} px, stride {result.stride} px, {fill}"
    best = shares.nan_to_num(0).argmax(1)
    kept, indices = np.unique(best[place].numpy(), return_inverse=True)
    name, of = network.class_name, f"map {seen.channel} of {seen.layer}"
    return [
        Covered(result.grid.boxes[lowest], cover, "Window", f"{window}; where {name(first)} is least probable"),
        Shades(seen.totals[place].numpy(), "Total activation", f"strongest map: {of}"),
        _projection(network, x, seen, of),
        *(
            Shades(shares[place, i].numpy(), f"Probability of {name(i)}", f"{clean[i]:.1%} uncovered", ".2f")
            for i in result.targets
        ),
        Classes(indices, [name(index) for index in kept.tolist()], "Most probable class",
                "by the place of the window"),
    ]  # fmt: skip


def _projection(network: "Network", x: "Tensor", seen: "StrongestMap", of: str) -> "Tile":
    """Return panel (c): the strongest unit of the map, projected onto the input."""
    from cnnviz.attribution.figures.occlusion_panels import Projected, Shades
    from cnnviz.errors import CnnvizError
    from cnnviz.features.deconvnet import Deconvnet

    try:
        ready = Deconvnet(network, x, seen.layer)
        method = "deconvnet" if ready.switches else "guided"
        ready = ready if ready.switches else Deconvnet(network, x, seen.layer, "guided")
    except CnnvizError:
        return Shades(_enlarged(seen.map, x), "Its feature map", f"{of}; no deconvnet for this network")
    found = ready.project(seen.channel)
    values = found.projection[0].float().cpu().numpy()
    return Projected(values, "Its projection", f"{of}, {method}; its strongest unit")


def _enlarged(values: "Tensor", x: "Tensor") -> Any:
    import torch

    size = (x.shape[-2], x.shape[-1])
    return torch.nn.functional.interpolate(values[None, None], size, mode="bilinear")[0, 0].numpy()
