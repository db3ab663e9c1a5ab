"""A folder of small photos, and a session of ``top-images`` with a small network."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from cnnviz import Network
from cnnviz.app.session import Session
from cnnviz.features.commands.projection_options import FolderOptions
from cnnviz.features.commands.top_images import top_images


def write_photos(folder: Path, count: int) -> None:
    """Write photos of noise, every second one into a subfolder."""
    (folder / "deep").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number in range(count):
        image = generator.integers(0, 255, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(image).save(folder / ("deep" if number % 2 else ".") / f"{number}.png")


def folder_options(folder: Path, **values: object) -> FolderOptions:
    """Return the options of ``top-images FOLDER``."""
    defaults = {param.name: param.default for param in top_images.command.params}
    return FolderOptions(**defaults | {"inputs": (str(folder),), "layer": "0", "output": str(folder / "out")} | values)


def folder_session(options: FolderOptions) -> Session:
    """Return a session whose network is a small one, whatever ``--model`` says."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 3, 5), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
    module(torch.zeros(1, 3, 24, 24))
    session = Session("top-images", options)
    session.__dict__["network"] = Network.from_module(module, (24, 24), (0.5,) * 3, (0.25,) * 3, name="small")
    return session
