"""What top-images writes for each feature map."""

from pathlib import Path

from cnnviz.app.resume import StopRequest
from cnnviz.features.commands.folder_search import FolderSearch
from cnnviz.features.commands.top_image_figures import record_of, write_figures
from cnnviz.features.projections import Projector
from cnnviz.io.recipe import read_recipe
from tests.support.folders import folder_options, folder_session, write_photos


def test_a_figure_with_its_recipe_and_a_record_for_each_map(tmp_path: Path) -> None:
    write_photos(tmp_path, 5)
    options = folder_options(tmp_path, top=2)
    search = FolderSearch(folder_session(options), options)
    search.root.mkdir()
    best = search.best(StopRequest(None))
    projector = Projector(search.session.network, options.settings())
    records, small = write_figures(search, projector, best, [2, 0], StopRequest(None))
    assert ([record.channel for record in records], [name for name, _ in small]) == ([2, 0], ["map 2", "map 0"])
    assert sorted(path.name for path in search.root.iterdir()) == ["0-0000.png", "0-0002.png"]
    recipe = read_recipe(search.file("-0002.png"))
    assert recipe["numbers"]["channel"] == 2
    assert [hit["file"] for hit in recipe["numbers"]["hits"]] == [Path(hit.file).name for hit in records[0].hits]
    unknown = record_of(search, best, 2)
    assert [hit.activation for hit in unknown.hits] == [hit.activation for hit in records[0].hits]
    assert unknown.hits[0].box is None
