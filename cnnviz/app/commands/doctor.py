"""``cnnviz doctor``: what is installed, which devices there are, which weights are here."""

import importlib.metadata
import json
import platform

import click

PACKAGES = ("cnnviz", "torch", "torchvision", "captum", "opencv-python", "Pillow", "numpy", "click", "rich",
            "safetensors", "timm", "onnx")  # fmt: skip


@click.command()
@click.option("--json", "lines", is_flag=True, help="Print one JSON object instead.")
def doctor(lines: bool) -> None:
    """Print versions, devices and the weights that are here: what a bug report needs.

    \b
    Examples:
      cnnviz doctor
      cnnviz doctor --json | jq .devices
    """
    from cnnviz.models import catalog, weights

    here = [name for name, entry in catalog.entries().items() if (p := weights.weights_path(entry)) and p.is_file()]
    facts = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "devices": _devices(),
        "weights": here,
        "checkpoints": str(weights.checkpoints()),
    }
    if lines:
        click.echo(json.dumps(facts))
        return
    click.echo(f"python {facts['python']} on {facts['platform']}")
    for name, version in facts["packages"].items():  # type: ignore[attr-defined]
        click.echo(f"{name:<14} {version or 'not installed'}")
    click.echo("devices        " + "; ".join(facts["devices"]))
    click.echo("weights here   " + (", ".join(here) or "none"))
    click.echo(f"fetched to     {facts['checkpoints']}")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _devices() -> list[str]:
    import torch

    found = [f"cpu ({torch.get_num_threads()} threads)"]
    found += [f"cuda:{n} ({torch.cuda.get_device_name(n)})" for n in range(torch.cuda.device_count())]
    return found + (["mps"] if torch.backends.mps.is_available() else [])
