"""The palette of PASCAL VOC, bit by bit."""

from cnnviz.dense.palette import voc_palette


def test_the_first_colours_are_the_published_ones():
    published = [
        (0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128), (128, 128, 128),
        (64, 0, 0), (192, 0, 0), (64, 128, 0), (192, 128, 0), (64, 0, 128), (192, 0, 128), (64, 128, 128),
        (192, 128, 128), (0, 64, 0), (128, 64, 0), (0, 192, 0), (128, 192, 0), (0, 64, 128),
    ]  # fmt: skip
    assert list(map(tuple, voc_palette()[:21].tolist())) == published
    assert tuple(voc_palette()[255]) == (224, 224, 192)  # the border of VOC's masks


def test_all_colours_differ():
    assert len({tuple(colour) for colour in voc_palette().tolist()}) == 256
