"""One call from a photo to a verified file."""

import numpy as np
import pytest
from PIL import Image

from cnnviz import read_photo
from cnnviz.adversarial.file_attack import (
    AttackSettings,
    attack_photo,
)
from cnnviz.control import Control
from cnnviz.errors import InvalidRequest
from tests.support.networks import brightness_network, random_classifier

SIDE = 8
BRIGHT = brightness_network(100, SIDE)


def test_a_photo_is_an_array_or_a_file(tmp_path):
    photo = np.full((SIDE, SIDE, 3), 104, np.uint8)
    Image.fromarray(photo).save(tmp_path / "grey.png")
    for source in (photo, tmp_path / "grey.png", str(tmp_path / "grey.png")):
        result = attack_photo(BRIGHT, source, settings=AttackSettings(fit="whole"))
        assert (result.fooled, result.verification.levels) == (True, 5)
        assert (result.image == 99).all()
        assert result.logits.argmax() == 1 != result.clean_logits.argmax()
    result.save(tmp_path / "dark.png")
    assert (read_photo(tmp_path / "dark.png") == 99).all()
    with pytest.raises(ValueError, match=r"verified as \.png"):
        result.save(tmp_path / "dark.jpg")


def test_a_jpeg_is_attacked_as_it_will_be_read(tmp_path):
    photo = np.random.default_rng(0).integers(60, 196, (48, 64, 3), np.uint8)
    result = attack_photo(random_classifier(16), photo, settings=AttackSettings(path="x.jpg"))
    result.save(tmp_path / "x.jpg")
    assert np.array_equal(read_photo(tmp_path / "x.jpg"), result.image)
    assert result.verification.storing_levels > 0


def test_a_photo_that_fools_already_is_left_as_it_is():
    photo = np.full((SIDE, SIDE, 3), 90, np.uint8)
    for method in ("minimal", "ddn"):
        result = attack_photo(BRIGHT, photo, ground_truth=0, method=method, settings=AttackSettings(fit="whole"))
        assert (result.fooled, result.verification.levels, set(result.warnings)) == (True, 0, {"misclassified"})
        assert result.queries.as_dict() == {"forward": 1, "backward": 0}


def test_progress_is_that_of_the_search_and_then_of_the_check():
    reports = []
    photo = np.full((SIDE, SIDE, 3), 104, np.uint8)
    attack_photo(BRIGHT, photo, settings=AttackSettings(fit="whole"), control=Control(lambda *r: reports.append(r)))
    assert reports[0][2].startswith("margin -")
    assert reports[-1][2] == "checking the file"


def test_networks_of_other_classes_are_refused():
    other = random_classifier(16)
    for key in ("ensemble", "check_with"):
        with pytest.raises(InvalidRequest, match="has other classes than"):
            attack_photo(BRIGHT, np.zeros((SIDE, SIDE, 3), np.uint8), settings=AttackSettings(**{key: [other]}))


@pytest.mark.parametrize("method", ["minimal", "fgsm"])
def test_a_method_is_run_with_its_settings(method):
    if method != "minimal":
        pytest.importorskip("foolbox")
    photo = np.full((SIDE, SIDE, 3), 104, np.uint8)
    result = attack_photo(BRIGHT, photo, method=method, eps=8, settings=AttackSettings(fit="whole"))
    assert result.verification.levels == (5 if method == "minimal" else 8)
    assert result.finish == (None if method == "minimal" else "rounded")
