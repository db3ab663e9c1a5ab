"""``cnnviz doctor``: what a bug report needs."""

import importlib.metadata
import json
import platform
from pathlib import Path

import pytest
import torch

from cnnviz import cli


def test_facts(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert cli.invoke(["doctor", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["python"] == platform.python_version()
    assert facts["packages"]["torch"] == importlib.metadata.version("torch")
    assert facts["devices"][0] == f"cpu ({torch.get_num_threads()} threads)"
    assert len(facts["devices"]) == 1 + torch.cuda.device_count() + torch.backends.mps.is_available()
    assert facts["weights"][0] == "efficientnet_lite0"
    assert "resnet50" not in facts["weights"]
    assert facts["checkpoints"] == str(tmp_path / "hub" / "checkpoints")


def test_for_people(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    def version(name: str) -> str:
        if name == "timm":
            raise importlib.metadata.PackageNotFoundError
        return "1.2.3"

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert cli.invoke(["doctor"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(f"python {platform.python_version()} on ")
    assert [line.split() for line in out if line.startswith(("timm", "torch "))] == [
        ["torch", "1.2.3"], ["timm", "not", "installed"]
    ]  # fmt: skip
    assert any(line.startswith("devices        cpu (") for line in out)
