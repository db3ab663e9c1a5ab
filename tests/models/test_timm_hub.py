"""timm's networks by name. The hub is a real server on this machine; what timm itself loads is the oracle."""

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from cnnviz import load_network
from cnnviz.errors import InvalidRequest, WeightsError

NAME = "test_resnet.r160_in1k"  # timm's own network for tests: half a million parameters
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def module() -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model(NAME, pretrained=False).eval()


@pytest.fixture
def file(module: nn.Module, tmp_path: Path) -> Path:
    save_file(module.state_dict(), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def cached(hub: Path, file: Path) -> Path:
    """Lay a file where the hub's client keeps it."""
    home = hub / f"models--timm--{NAME}"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    for folder in ("refs", "blobs", f"snapshots/{COMMIT}"):
        (home / folder).mkdir(parents=True)
    (home / "refs" / "main").write_text(COMMIT)
    (home / "blobs" / digest).write_bytes(file.read_bytes())
    (home / "snapshots" / COMMIT / "model.safetensors").symlink_to(f"../../blobs/{digest}")
    return home / "blobs" / digest


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def check(network: Any, module: nn.Module) -> None:
    x = torch.rand(1, 3, 160, 160, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.allclose(network(x), module((x - network.mean) / network.std), atol=1e-5)


def test_a_file_of_ones_own(file: Path, module: nn.Module):
    network = load_network(f"timm:{NAME}", weights_file=file, device="cpu")
    check(network, module)
    theirs = timm.data.resolve_data_config({}, model=module)
    assert network.preprocessing.size == theirs["input_size"][1:]
    assert network.preprocessing.resize == int(theirs["input_size"][1] / theirs["crop_pct"])
    assert network.preprocessing.interpolation == theirs["interpolation"]
    assert (network.preprocessing.mean, network.preprocessing.std) == (theirs["mean"], theirs["std"])
    assert len(network.classes) == 1000


def test_a_file_of_three_classes(tmp_path: Path):
    module = timm.create_model("test_resnet", num_classes=3).eval()
    save_file(module.state_dict(), tmp_path / "three.safetensors")
    network = load_network("timm:test_resnet", weights_file=tmp_path / "three.safetensors", device="cpu")
    check(network, module)
    assert network(torch.zeros(1, 3, 160, 160)).shape == (1, 3)
    assert network.classes == ()


def test_weights_in_the_hubs_cache_need_no_connection(
    hub: Path, file: Path, module: nn.Module, monkeypatch: pytest.MonkeyPatch
):
    import socket

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", never)
    monkeypatch.setattr(socket, "getaddrinfo", never)
    blob = cached(hub, file)
    for offline in (True, False):
        network = load_network(f"timm:{NAME}", device="cpu", offline=offline)
        check(network, module)
        assert network.weights == {"file": "model.safetensors", "sha256": blob.name}
    blob.write_bytes(blob.read_bytes()[:-4] + b"oops")
    with pytest.raises(WeightsError, match="is damaged\nremove it"):
        load_network(f"timm:{NAME}", device="cpu")


def test_offline_without_the_weights_is_two_lines(hub: Path):
    with pytest.raises(WeightsError, match="--offline forbids to fetch them\nname a file with --weights FILE"):
        load_network(f"timm:{NAME}", device="cpu", offline=True)


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as its client asks of it."""

    content: bytes
    cut = False

    def do_HEAD(self) -> None:
        if self.path != f"/timm/{NAME}/resolve/main/model.safetensors":
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.send_header("ETag", f'"{hashlib.sha256(self.content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(self.content)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def endpoint(file: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Served", (Hub,), {"content": file.read_bytes()}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.slow
def test_weights_are_fetched_with_progress_and_nothing_is_drawn(endpoint: str, tmp_path: Path, file: Path):
    code = (
        "from cnnviz import load_network\nfrom cnnviz.control import Control\ntold = []\n"
        f"load_network('timm:{NAME}', device='cpu', control=Control(lambda *now: told.append(now)))\nprint(told[-1])"
    )
    env = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "home"), "no_proxy": "127.0.0.1", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert done.stderr == ""
    size = file.stat().st_size
    assert done.stdout.strip() == f"({size}, {size}, 'model.safetensors')"


@pytest.mark.slow
def test_a_hub_that_does_not_have_the_file_is_two_lines(endpoint: str, tmp_path: Path):
    code = (
        "from cnnviz import load_network\nfrom cnnviz.errors import WeightsError\n"
        "try:\n    load_network('timm:resnet18.a1_in1k', device='cpu')\nexcept WeightsError as error:\n    print(error)"
    )
    env = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "home"), "no_proxy": "127.0.0.1", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert first.startswith("timm:resnet18.a1_in1k: weights model.safetensors of timm/resnet18.a1_in1k are not here")
    assert second == "name a file with --weights FILE"


def test_networks_without_weights_or_without_classes():
    with pytest.raises(WeightsError, match=r"its weights are not on timm's hub\nfetch them from https://github\.com/"):
        load_network("timm:gcvit_tiny", device="cpu", offline=True)
    with pytest.raises(WeightsError, match="its weights are not on timm's hub\nname the file"):
        load_network("timm:botnet50ts_256", device="cpu", offline=True)
    with pytest.raises(InvalidRequest, match="is no classifier"):
        load_network("timm:vit_small_patch14_dinov2", device="cpu", offline=True)
