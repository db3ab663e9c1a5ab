"""MediaPipe's selfie segmentation: its layers, and the bundled weights on a photo."""

import pytest
import torch

from cnnviz import load_network, read_photo
from cnnviz.models.catalog import SELFIE
from cnnviz.models.preprocess import to_inputs
from cnnviz.models.selfie import SamePadding, SelfieSegmentation
from cnnviz.models.weights import sha256, weights_path
from tests.conftest import PHOTOS


def test_the_bundled_file_is_the_one_of_the_catalogue():
    path = weights_path(SELFIE)
    assert path is not None
    assert sha256(path) == SELFIE.sha256
    assert path.stat().st_size < 250_000
    parameters = sum(tensor.numel() for tensor in SelfieSegmentation().parameters())
    assert parameters == 106_401
    assert SELFIE.parameters == pytest.approx(parameters / 1e6, abs=0.051)


@pytest.mark.parametrize(("side", "kernel", "stride"), [(8, 3, 2), (9, 3, 2), (8, 5, 2), (8, 5, 1)])
def test_padding_is_tensorflows(side, kernel, stride):
    layer = SamePadding(1, 1, kernel, stride)
    torch.nn.init.ones_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    sums = layer(torch.ones(1, 1, side, side))[0, 0]
    out = -(-side // stride)
    assert sums.shape == (out, out)
    before = max((out - 1) * stride + kernel - side, 0) // 2
    seen = [sum(0 <= stride * at - before + tap < side for tap in range(kernel)) for at in range(out)]
    assert torch.equal(sums, torch.tensor([[float(a * b) for b in seen] for a in seen]))


def test_the_astronaut_covers_the_share_that_mediapipe_gives():
    network = load_network("selfie", device="cpu")
    photo = read_photo(PHOTOS / "astronaut.jpg")
    with torch.inference_mode():
        logits = network(to_inputs([network.geometry(photo.shape[:2]).see(photo)]))
    assert logits.shape == (1, 2, 256, 256)
    assert torch.equal(logits[:, 0], torch.zeros(1, 256, 256))
    assert float((logits.softmax(1)[:, 1] > 0.5).float().mean()) == pytest.approx(0.545, abs=5e-4)


def test_it_takes_inputs_of_other_sizes():
    module = SelfieSegmentation().eval()
    for size in ((64, 64), (50, 70), (16, 33)):
        assert module(torch.rand(1, 3, *size)).shape == (1, 2, *size)
