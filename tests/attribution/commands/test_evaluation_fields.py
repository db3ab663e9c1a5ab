"""The fields of an evaluation: rounded numbers, and the table for a person."""

import torch

from cnnviz.attribution.commands.evaluation_fields import map_record, text_table
from cnnviz.attribution.deletion_insertion import DeletionInsertion
from cnnviz.attribution.evaluation import CurveScore, MapScores, RandomizationStage
from cnnviz.attribution.pointing_game import PointingGame


def score(**settings) -> MapScores:
    deletion = CurveScore(0.12345678, None, 0.5, (0.4, 0.6))
    return MapScores(3, "espresso", 0.7654321, deletion, CurveScore(0.8, 0.9, 0.2, (0.1, 0.3)), **settings)


def curves() -> DeletionInsertion:
    ones = torch.ones(1, 3, dtype=torch.float64)
    return DeletionInsertion(ones[0], ones, ones / 3, ones[None], ones[None] / 7, torch.zeros(5), ones[0])


def test_numbers_are_rounded_and_what_was_not_measured_is_null() -> None:
    record = map_record("mine", score(), curves(), 0)
    assert (record.class_name, record.probability, record.deletion_auc) == ("espresso", 0.765432, 0.123457)
    assert record.deletion_auc_normalized is record.pointing is record.randomization is None
    assert record.insertion == [0.333333] * 3
    assert record.shifted_insertion == [0.142857] * 3


def test_the_table_has_a_line_for_each_map() -> None:
    stages = (RandomizationStage("fc", 0.5, 0.6), RandomizationStage("conv", -0.125, 0.1))
    full = score(pointing=PointingGame(True, (4, 9), 0.0, 0.9, 0.25), randomization=stages)
    rows = [map_record("mine", full, curves(), 0), map_record("a\x1b[31m", score(), curves(), 0)]
    assert rows[0].pointing.peak == [9, 4]
    name, head, first, second = text_table("cat.jpg", rows).splitlines()
    assert name == "cat.jpg"
    assert head.split() == ["deletion", "(shifted)", "insertion", "(shifted)"]
    assert "0.123 (0.500)" in first
    assert first.endswith("hit, energy 90% (mask 25%)   randomized +0.50 to -0.12")
    assert second.split()[0] == r"a\x1b[31m"
