"""``cnnviz doctor``: installed versions, devices, and weights on this machine."""

import importlib.metadata
import json
import platform
from dataclasses import asdict, dataclass

import click

from cnnviz.app.declare import option
from cnnviz.app.photo_command import plain_command
from cnnviz.models import catalog, weights

PACKAGES = ("cnnviz", "torch", "torchvision", "captum", "opencv-python", "Pillow", "numpy", "click", "rich",
            "rich-click", "safetensors", "timm", "onnx")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of ``cnnviz doctor``."""

    json: bool = option("Print one JSON object instead.", default=False, panel="Output")


@dataclass(frozen=True)
class Environment:
    """What ``cnnviz doctor`` reports: versions (None: not installed), devices, networks whose weights are here."""

    python: str
    platform: str
    packages: dict[str, str | None]
    devices: list[str]
    weights: list[str]
    checkpoints: str


@plain_command(Options)
def doctor(options: Options) -> None:
    """Print versions, devices and the weights on this machine, for bug reports.

    \b
    Examples:
      cnnviz doctor
      cnnviz doctor --json | jq .devices
    """
    here = [name for name, entry in catalog.entries().items() if (p := weights.weights_path(entry)) and p.is_file()]
    packages = {name: _version(name) for name in PACKAGES}
    found = Environment(platform.python_version(), platform.platform(), packages, _devices(), here,
                        str(weights.checkpoints()))  # fmt: skip
    click.echo(json.dumps(asdict(found)) if options.json else _text(found))


def _text(found: Environment) -> str:
    versions = [f"{name:<14} {version or 'not installed'}" for name, version in found.packages.items()]
    return "\n".join([
        f"python {found.python} on {found.platform}",
        *versions,
        f"devices        {'; '.join(found.devices)}",
        f"weights here   {', '.join(found.weights) or 'none'}",
        f"downloads to   {found.checkpoints}",
    ])  # fmt: skip


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
