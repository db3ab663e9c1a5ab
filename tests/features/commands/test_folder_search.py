"""A search through folders: photos that fail, results kept and resumed, whatever is drawn of them."""

from pathlib import Path

import pytest
import torch

from cnnviz.app.resume import StopRequest
from cnnviz.errors import Status
from cnnviz.features.commands.folder_search import FolderSearch
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
