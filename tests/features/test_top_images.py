"""The top images of channels in one call: from arrays and from a folder, with photos that cannot be read."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cnnviz import Network, fit
from cnnviz.control import Control
from cnnviz.errors import InvalidRequest, PhotoError
from cnnviz.features.projections import ProjectionSettings
from cnnviz.features.top_images import top_images


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 5, 3, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.LazyLinear(2))
    module(torch.zeros(1, 3, 32, 32))
    return Network.from_module(module, size=(32, 32), mean=(0.5,) * 3, std=(0.25,) * 3)


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 255, (32, 32, 3), dtype=np.uint8) for _ in range(12)]


def test_arrays_give_the_largest_activations_of_each_channel(network: Network, images: list[np.ndarray]) -> None:
    found = top_images(network, images, layer="2", k=3)
    assert (found.images, dict(found.failures), list(found.channels)) == (12, {}, [0, 1, 2, 3, 4])
    maps = [network.module[:3]((fit(image, network)[0] - 0.5) / 0.25)[0] for image in images]
    for channel, hits in found.channels.items():
        peaks = sorted((-float(each[channel].max()), number) for number, each in enumerate(maps))[:3]
        assert [hit.number for hit in hits] == [number for _, number in peaks]
        for hit in hits:
            assert hit.activation == pytest.approx(float(maps[hit.number][channel][hit.position]), rel=1e-5)
            assert hit.patch.shape == hit.projection.shape == (3, 128, 128)


def test_a_folder_is_searched_and_bad_files_are_named(
    network: Network, images: list[np.ndarray], tmp_path: Path
) -> None:
    (tmp_path / "deep").mkdir()
    for number, image in enumerate(images[:4]):
        Image.fromarray(image).save(tmp_path / ("deep" if number % 2 else ".") / f"{number}.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    (tmp_path / "notes.txt").write_text("none")
    guided = ProjectionSettings("2", "guided", receptive_field="effective")
    found = top_images(network, tmp_path, layer="2", channels=[4, 1], k=9, settings=guided)
    assert (found.images, list(found.channels), len(found.failures)) == (4, [4, 1], 1)
    assert all(len(hits) == 4 and all(hit.region.effective for hit in hits) for hits in found.channels.values())


def test_progress_and_an_early_stop(network: Network, images: list[np.ndarray]) -> None:
    reports: list[tuple[int, int]] = []
    control = Control(report=lambda done, total, text="": reports.append((done, total)), stopped=lambda: True)
    found = top_images(network, images, layer="2", k=3, control=control)
    assert (found.images, dict(found.channels), reports) == (4, {}, [(4, 12)])


def test_unknown_channels_and_no_photo_are_refused(network: Network, images: list[np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="channel 5: 2 has 5, counted from 0"):
        top_images(network, images, layer="2", channels=[5])
    with pytest.raises(InvalidRequest, match="there is no photo"):
        top_images(network, tmp_path, layer="2")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    with pytest.raises(PhotoError, match="no photo could be read; the first: "):
        top_images(network, tmp_path, layer="2")
