"""What top-images writes for each channel."""

from pathlib import Path

import pytest

from cnnviz.app.resume import StopRequest
from cnnviz.features.commands.folder_search import FolderSearch
from cnnviz.features.commands.top_image_figures import record_of, write_figures, write_sheet
from cnnviz.features.figures import top_images
from cnnviz.features.projections import Projector
from cnnviz.io.recipe import read_recipe
from tests.support.folders import folder_options, folder_session, write_photos
from tests.support.images import loaded


def test_a_figure_with_its_recipe_and_a_record_for_each_map(tmp_path: Path) -> None:
    write_photos(tmp_path, 5)
    options = folder_options(tmp_path, top=2)
    search = FolderSearch(folder_session(options), options)
    search.root.mkdir()
    best = search.best(StopRequest(None))
    projector = Projector(search.session.network, options.settings(search.layer))
    records, tiles = write_figures(search, projector, best, [2, 0], StopRequest(None))
    assert {record.class_name for record in records} == {None}
    assert [record.channel for record in records] == [made.channel for made in tiles] == [2, 0]
    assert sorted(path.name for path in search.root.iterdir()) == ["0-0000.png", "0-0002.png"]
    recipe = read_recipe(search.file("-0002.png"))
    assert recipe["numbers"]["channel"] == 2
    assert [hit["file"] for hit in recipe["numbers"]["hits"]] == [Path(hit.file).name for hit in records[0].hits]
    unknown = record_of(search, best, 2)
    assert [hit.activation for hit in unknown.hits] == [hit.activation for hit in records[0].hits]
    assert unknown.hits[0].box is None
    write_sheet(search, best, [2, 0], tiles)
    assert read_recipe(search.file(".png"))["numbers"] == {"channels": [2, 0]}
    for ending in (".png", "-0000.png"):
        image = loaded(search.file(ending))
        assert image.width == 1920
        assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)


def test_channels_of_the_last_layer_are_classes_without_positions(tmp_path: Path) -> None:
    write_photos(tmp_path, 3)
    options = folder_options(tmp_path, top=2, layer="3")
    search = FolderSearch(folder_session(options), options)
    search.root.mkdir()
    best = search.best(StopRequest(None))
    projector = Projector(search.session.network, options.settings(search.layer))
    records, _ = write_figures(search, projector, best, [1, 0], StopRequest(None))
    assert [record.class_name for record in records] == ["class 1", "class 0"]
    assert {hit.position for record in (*records, record_of(search, best, 1)) for hit in record.hits} == {None}


def test_the_overview_keeps_no_more_tiles_than_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top_images, "CHANNELS", 1)
    write_photos(tmp_path, 3)
    options = folder_options(tmp_path, top=2)
    search = FolderSearch(folder_session(options), options)
    search.root.mkdir()
    best = search.best(StopRequest(None))
    records, tiles = write_figures(
        search, Projector(search.session.network, options.settings(search.layer)), best, [2, 0], StopRequest(None)
    )
    assert ([record.channel for record in records], [made.channel for made in tiles]) == ([2, 0], [2])
