"""Limits on the source that keep it readable; ``python tests/support/marks.py`` prints the measures."""

import statistics

from tests.support import marks


def over(table: dict[str, int], limit: int) -> dict[str, int]:
    return {name: value for name, value in table.items() if value > limit}


def test_files_are_short():
    sizes = marks.lines()
    assert not over(sizes, 280)
    assert statistics.median(sizes.values()) <= 120
    assert sum(sizes.values()) <= 32_000


def test_functions_are_short():
    sizes = marks.bodies()
    assert not over(sizes, 40)
    assert statistics.quantiles(sizes.values(), n=10)[-1] <= 15


def test_signatures_are_narrow():
    assert not over(marks.signatures(), 10)


def test_public_names_are_documented():
    assert not marks.undocumented()


def test_types_are_concrete():
    assert marks.any_uses() <= 124
    assert marks.option_dictionaries() == 0


def test_modules_import_few_others():
    counts = marks.own_imports()
    assert not over(counts, 12)
    assert statistics.mean(counts.values()) <= 5.6


def test_a_class_has_a_name_of_its_own():
    assert not marks.homonyms()


def test_modules_have_a_test_of_their_name():
    assert len(marks.untested()) <= 5


def test_no_module_is_named_like_one_of_pythons():
    assert not marks.like_the_standard_library()
