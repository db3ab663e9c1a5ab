"""``cnnviz doctor``: installed versions, devices, and weights on this machine."""

import importlib.metadata
import json
import platform
from dataclasses import dataclass

import click

from cnnviz.app.console import Console
from cnnviz.app.declare import option
from cnnviz.app.photo_command import plain_command
from cnnviz.models import catalog, weights

PACKAGES = ("cnnviz", "torch", "torchvision", "captum", "opencv-python", "Pillow", "numpy", "click", "rich",
            "rich-click", "safetensors", "timm", "onnx", "h5py", "transformers")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of ``cnnviz doctor``."""

    json: bool = option("Print one JSON object instead.", default=False, panel="Output")


@plain_command(Options)
def doctor(options: Options) -> None:
    """Print versions, devices and the weights on this machine, for bug reports.

    \b
    Examples:
      cnnviz doctor
      cnnviz doctor --json | jq .devices
    """
    here = [name for name, entry in catalog.entries().items() if (p := weights.weights_path(entry)) and p.is_file()]
    python, system, checkpoints = platform.python_version(), platform.platform(), str(weights.checkpoints())
    with Console().status("looking for devices"):
        devices = _devices()
    packages = {name: _version(name) for name in PACKAGES}
    if options.json:
        click.echo(json.dumps({"python": python, "platform": system, "packages": packages, "devices": devices,
                               "weights": here, "checkpoints": checkpoints}))  # fmt: skip
        return
    click.echo(f"python {python} on {system}")
    for name, version in packages.items():
        click.echo(f"{name:<14} {version or 'not installed'}")
    click.echo(f"devices        {'; '.join(devices)}")
    click.echo(f"weights here   {', '.join(here) or 'none'}")
    click.echo(f"downloads to   {checkpoints}")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _devices() -> list[str]:
    import torch

    gpus = [f"cuda:{n} ({torch.cuda.get_device_name(n)})" for n in range(torch.cuda.device_count())]
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [f"cpu ({torch.get_num_threads()} threads)", *gpus, *mps]
