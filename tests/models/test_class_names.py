"""Classes by name and index, before a network is there."""

import pytest

from cnnviz.errors import InvalidRequest
from cnnviz.models.catalog import VOC_CLASSES, entries, imagenet_classes, segmenters
from cnnviz.models.class_names import class_index, published_classes


def test_networks_have_the_names_of_their_data_sets() -> None:
    assert published_classes(entries()["zfnet"], 1000) == imagenet_classes()
    assert published_classes(entries()["zfnet"], 5) == ()
    assert published_classes(segmenters()["fcn8s"], 21) == VOC_CLASSES
    assert published_classes(segmenters()["selfie"], 2) == ("background", "person")


def test_a_class_is_its_name_or_its_index() -> None:
    assert class_index(" Tiger Cat", imagenet_classes(), "net") == 282
    assert class_index("1", ("a", "b"), "net") == 1
    assert class_index("7", (), "net") == 7


@pytest.mark.parametrize(
    ("word", "names", "message"),
    [
        ("2", ("a", "b"), "net has 2, counted from 0"),
        ("a", ("a", "b", "A"), "names 2 classes: 0, 2; give the index"),
        ("tigr cat", imagenet_classes(), "did you mean tiger cat"),
        ("hound", imagenet_classes(), "names with it: .* and [0-9]+ more"),
        ("qqqq", imagenet_classes(), "see cnnviz classes WORD"),
        ("qqqq", (), "net has no class names: give an index"),
    ],
)
def test_what_is_no_class_is_refused(word: str, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        class_index(word, names, "net")
