"""What a recipe records: options that the bytes depend on, files by digest, one name for many photos."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cnnviz.app.declare import option
from cnnviz.app.recorder import (
    InputRecord,
    collective_name,
    collective_record,
    record_value,
    recorded_options,
    versions,
)


@dataclass(frozen=True, kw_only=True)
class Options:
    mean: tuple[float, ...] = option("Mean.", default=(0.5, 0.5))
    mask: str | None = option("Mask.", default=None, file=True)
    output: str | None = option("Output.", default=None, recorded=False)


def test_files_are_recorded_by_name_and_digest_and_outputs_not_at_all(tmp_path: Path):
    path = tmp_path / "mask.png"
    path.write_bytes(b"x")
    digest = hashlib.sha256(b"x").hexdigest()
    assert recorded_options(Options(mask=str(path), output="a.png")) == {
        "mean": [0.5, 0.5],
        "mask": {"file": "mask.png", "sha256": digest},
    }
    assert recorded_options(Options()) == {"mean": [0.5, 0.5], "mask": None}
    assert record_value([path]) == [{"file": "mask.png", "sha256": digest}]


def test_many_photos_have_one_name_and_one_digest(tmp_path: Path):
    (tmp_path / "photos").mkdir()
    assert collective_name([str(tmp_path / "photos"), "b.jpg"]) == "photos"
    assert (collective_name(["cat.jpg"]), collective_name(["-"])) == ("cat", "stdin")
    one, two = InputRecord("a", "1" * 64), InputRecord("b", "2" * 64)
    both = collective_record("photos", [one, two])
    assert (both.name, both.photos) == ("photos", 2)
    assert both.sha256 != collective_record("photos", [two, one]).sha256


def test_versions_of_a_clip_name_its_encoder_too():
    assert set(versions(moving=True)) - set(versions()) == {"av", "opencv"}
