"""What ``cnnviz sticker`` prints, in what it is judged, and what it tells and draws."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cnnviz.adversarial.patch_scene import PatchScene
from cnnviz.app.console import Console, ReportProgress
from cnnviz.app.jobs import Job, Line
from cnnviz.app.session import Session
from cnnviz.errors import printable
from cnnviz.synthesis.commands.dream_options import pixels

if TYPE_CHECKING:
    from torch import Tensor

    from cnnviz.io.color import Photo

DPI = 300
POSES = 200  # held out
SHOWN = 5  # of them drawn
SIMULATED = "a simulation: seen by this network on this computer, not printed and photographed"


def prints(subject: PatchScene, texture: "Tensor", longer: float, seed: int) -> "dict[str, Photo]":
    """Return the sticker and its controls as printed, ``longer`` millimetres along the longer side: uint8 (H, W, 3).

    Controls: plain grey, and noise of the same texels.
    """
    import torch

    from cnnviz.adversarial.patch import PRINTABLE

    low, high = PRINTABLE
    noise = low + (high - low) * torch.rand(texture.shape, generator=torch.Generator().manual_seed(seed))
    textures = {"sticker": texture, "grey": torch.full_like(texture, 0.5), "noise": noise}
    return {name: _printed(subject, pixels(found[0]), longer) for name, found in textures.items()}


def _printed(subject: PatchScene, texels: "Photo", longer: float) -> "Photo":
    import numpy as np
    from PIL import Image

    dots = longer / 25.4 * DPI / max(subject.place.size)
    down, across = (max(1, round(dots * side)) for side in subject.place.size)
    picture = np.array(Image.fromarray(texels).resize((across, down), Image.Resampling.BICUBIC))
    picture[~subject.place.outline((down, across))] = 255  # paper, to be cut off
    return picture


def encoded(path: str, picture: "Photo", recipe: Mapping[str, Any]) -> bytes:
    """Return the file of a print: a PNG that knows its size."""
    from PIL import Image

    from cnnviz.io import write

    image = Image.fromarray(picture)
    image.info["dpi"] = (DPI, DPI)
    return write.encode_picture(path, image, recipe)


def worn(subject: PatchScene, prints: "Mapping[str, Photo]") -> "dict[str, Photo]":
    """Return the photo with each of the prints laid onto it, and as it is."""
    laid = {name: subject.place.lay(subject.photo, picture) for name, picture in prints.items()}
    return laid | {"clean": subject.photo}


def judged(
    subject: PatchScene, prints: "Mapping[str, Photo]", clean: "Tensor", seed: int, tick: ReportProgress
) -> Line:
    """Return what is to be told of the prints, all of it from their 8 bits laid onto the photo."""
    import torch

    from cnnviz.adversarial.patch import success_rates

    network, target = subject.network, int(clean.argmax())
    photos = worn(subject, prints)
    cards = torch.cat([subject.card(photo) for photo in photos.values()])
    firsts = success_rates(network, subject.scene(), cards, count=POSES, seed=seed, progress=tick).argmax(2)
    rows: dict[str, Line] = {
        name: {
            "share": round(float((first == subject.goal).float().mean()), 4),
            "lost": round(float((first != target).float().mean()), 4),
            "top": network.top(subject.logits(photo)),
        }
        for (name, photo), first in zip(photos.items(), firsts, strict=True)
    }
    high, wide = prints["sticker"].shape[:2]
    return {
        "network": network.name,
        "target": target,
        "goal": subject.goal,
        "area": round(subject.area(), 4),
        "poses": POSES,
        **rows.pop("sticker"),
        "clean_top": rows["clean"]["top"],
        "controls": rows,
        "size": [high, wide],
        "print_size": [round(side / DPI * 25.4, 1) for side in (wide, high)],
    }


def sheet(subject: PatchScene, prints: "Mapping[str, Photo]", numbers: Line, seed: int) -> "Photo":
    """Return what the network sees of sticker, controls and bare photo: the fixed view, then held-out poses."""
    import torch

    from cnnviz.adversarial.patch import held_out_poses
    from cnnviz.figures import grid
    from cnnviz.models.preprocess import to_inputs

    network, photos = subject.network, worn(subject, prints)
    seen = next(held_out_poses(subject.geometry.size, POSES, seed))
    made: list[grid.Tile] = []
    for photo in photos.values():
        with torch.inference_mode():
            views = seen.of(subject.card(photo), subject.frame())[:SHOWN]
            views = torch.cat((to_inputs([subject.geometry.see(photo)]), views))
            tops = [network.top(logits)[0] for logits in network(views).float().cpu()]
        for view, top in zip(views, tops, strict=True):
            made.append(grid.Tile(pixels(view), str(top["name"]), f"{top['probability']:.0%}"))
    goal = network.class_name(subject.goal)
    controls = ", ".join(f"{name} {row['share']:.0%}" for name, row in numbers["controls"].items())
    title = f"Sticker for {goal}: {numbers['share']:.0%} of {POSES} poses it was not made for"
    words = f"{controls}; first column the fixed view; simulated, {network.name}"
    return grid.draw_grid(made, SHOWN + 1, title, words, rows=list(photos))


def missed(run: Session, job: Job, numbers: Line, kept: bool) -> Line:
    """Return the line of a photo whose sticker does not reach --least."""
    words = f"taken for {run.network.class_name(numbers['goal'])} in {numbers['share']:.0%} of {POSES} poses"
    run.console.error(f"{printable(job.source)}: {words}, less than --least; a larger --region or more --steps may do")
    return numbers | {"status": "missed", "output": job.output if kept else None}


def say(console: Console, line: Line, goal: str) -> None:
    """Tell a person what became of a sticker, and of its controls."""
    shares = ", ".join(f"{name} {row['share']:.0%}" for name, row in line["controls"].items())
    if line["status"] != "missed":
        console.note(f"{goal} in {line['share']:.0%} of {line['poses']} poses it was not made for ({shares})")
    own = line["clean_top"][0]["name"]
    lost = ", ".join(f"{name} {row['lost']:.0%}" for name, row in line["controls"].items())
    console.note(f"no longer {own}: sticker {line['lost']:.0%}, {lost}")
    first = line["top"][0]
    console.note(f"fixed view: {first['name']} {first['probability']:.0%}; {SIMULATED}")
