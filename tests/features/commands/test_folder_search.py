"""A search through folders: which photos in which order, those that fail, results kept and resumed."""

from pathlib import Path

import pytest
import torch

from cnnviz.app.resume import StopRequest
from cnnviz.errors import PhotoError, Status
from cnnviz.features.commands.folder_search import FolderImages, FolderSearch
from cnnviz.io import write
from tests.support.folders import folder_options, folder_session, write_photos


class StopAtOnce(StopRequest):
    """Asks to stop after the first batch."""

    def __call__(self) -> bool:
        return True


def search(folder: Path, **values: object) -> FolderSearch:
    options = folder_options(folder, **values)
    return FolderSearch(folder_session(options), options)


def test_a_stopped_search_is_resumed_to_the_same_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_photos(tmp_path, 9)
    (tmp_path / "0.png").write_bytes(b"\x89PNG broken")
    whole = search(tmp_path).best(StopRequest(None))
    first = search(tmp_path)
    first.root.mkdir()
    partial = first.best(StopAtOnce(None))
    assert 0 < partial.done < whole.done == 8
    first.keep(partial)
    again = search(tmp_path, resume=True, method="guided", channel=("1",))  # the search does not depend on the drawing
    found = again.best(StopRequest(None))
    assert torch.equal(found.values, whole.values)
    assert torch.equal(found.numbers, whole.numbers)
    assert again.statuses == {Status.OK, Status.FAILED}
    assert "0.png" in capsys.readouterr().err
    other = search(tmp_path, resume=True, top=3)
    assert other.best(StopRequest(None)).values.shape == (3, 3)
    assert "starting a" in capsys.readouterr().err


def images(folder: Path) -> FolderImages:
    return FolderImages(folder_session(folder_options(folder)), [str(folder)], folder / "out")


def test_photos_are_read_in_the_order_of_their_paths_and_results_left_out(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", 3)
    (tmp_path / "photos/out").mkdir()
    found = images(tmp_path / "photos")
    names = [job.name for job in found.jobs]
    assert names == ["0.png", "2.png", "1.png"]
    assert found.read(1).shape == (1, 3, 24, 24)
    assert list(found.digests) == [1]
    image = found.read(0)[0].mul(255).byte().permute(1, 2, 0).numpy()
    write.write_image(str(tmp_path / "photos/out/0.png"), image, {"recipe": 1, "command": "top-images"})
    assert [job.name for job in images(tmp_path / "photos").jobs] == names
    record = found.record()
    assert (record.name, record.photos) == ("photos", 3)
    (tmp_path / "photos/0.png").write_bytes(b"x")
    assert images(tmp_path / "photos").record().sha256 != record.sha256
    with pytest.raises(PhotoError):
        images(tmp_path / "photos").read(0)


def test_the_layer_is_that_of_the_option_or_the_networks_default(tmp_path: Path) -> None:
    write_photos(tmp_path, 1)
    for given, layer in (("0", "0"), (None, "1")):  # 1 is the rectifier
        options = folder_options(tmp_path, layer=given)
        assert FolderSearch(folder_session(options), options).layer == layer
