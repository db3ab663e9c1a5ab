"""Photos of folders: their order, what is left out, how a recipe records them."""

from pathlib import Path

import pytest

from cnnviz.errors import InvalidRequest, PhotoError
from cnnviz.features.commands.folder_images import FolderImages, result_folder
from cnnviz.io import write
from tests.support.folders import folder_options, folder_session, write_photos


def images(folder: Path) -> FolderImages:
    return FolderImages(folder_session(folder_options(folder)), [str(folder)], folder / "out")


def test_photos_are_read_in_the_order_of_their_paths_and_results_left_out(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", 3)
    (tmp_path / "photos/out").mkdir()
    found = images(tmp_path / "photos")
    names = [job.name for job in found.jobs]
    assert (names, len(found)) == (["0.png", "2.png", "1.png"], 3)
    assert found[1].shape == (1, 3, 24, 24)
    assert list(found.digests) == [1]
    image = found[0][0].mul(255).byte().permute(1, 2, 0).numpy()
    write.write_image(str(tmp_path / "photos/out/0.png"), image, {"recipe": 1, "command": "top-images"})
    assert [job.name for job in images(tmp_path / "photos").jobs] == names
    record = found.record()
    assert (record.name, record.photos) == ("photos", 3)
    (tmp_path / "photos/0.png").write_bytes(b"x")
    assert images(tmp_path / "photos").record().sha256 != record.sha256
    with pytest.raises(PhotoError):
        images(tmp_path / "photos")[0]


def test_the_folder_of_the_results(tmp_path: Path) -> None:
    assert result_folder([str(tmp_path)], None) == Path(f"{tmp_path.name}-top-images")
    assert result_folder(["photos"], "figure-2/") == Path("figure-2")
    for wrong in ("a.png", "-"):
        with pytest.raises(InvalidRequest, match="several results"):
            result_folder(["photos"], wrong)
