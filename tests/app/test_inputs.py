"""Photos read for a command, with the record that the recipe keeps of them."""

import hashlib
from pathlib import Path

import pytest

from cnnviz.app.console import Console
from cnnviz.app.inputs import read_photo_input, read_stored_input
from cnnviz.app.jobs import Job
from cnnviz.app.options import ReadingOptions
from cnnviz.errors import InvalidRequest, PhotoError


def test_a_photo_is_read_with_its_name_and_digest(photo: Path):
    options = ReadingOptions(inputs=())
    image, record = read_photo_input(Job(str(photo)), options, Console())
    assert (image.shape, record.name) == ((300, 451, 3), "cat.jpg")
    assert record.sha256 == hashlib.sha256(photo.read_bytes()).hexdigest()
    stored, record = read_stored_input(Job(str(photo)), options, Console(), "was.jpg")
    assert (stored.values.shape, record.name) == ((300, 451, 3), "was.jpg")


def test_options_of_reading_are_obeyed(photo: Path):
    with pytest.raises(PhotoError, match="pixels"):
        read_photo_input(Job(str(photo)), ReadingOptions(inputs=(), max_pixels=10), Console())
    with pytest.raises(InvalidRequest, match="nocolour"):
        read_photo_input(Job(str(photo)), ReadingOptions(inputs=(), background="nocolour"), Console())
