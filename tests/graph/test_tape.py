"""Recordings: operators by name, kept tensors, and what cannot be recorded."""

import subprocess
import sys
import textwrap

import pytest
import torch
from torch import nn

from cnnviz.graph.tape import Step, UntraceableError, Value, record


def test_recording_does_not_import_the_compiler():
    code = """
        import sys, torch
        from cnnviz.graph.incremental import Incremental
        module = torch.nn.Conv2d(3, 4, 3).requires_grad_(False)
        Incremental(lambda x: module(x).relu_().mean((2, 3)), torch.rand(1, 3, 9, 9), module)
        assert "torch._dynamo" not in sys.modules
        """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_steps_are_the_operators_and_modules_have_their_outputs():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True))
    x = torch.rand(1, 3, 8, 8)
    tape = record(lambda x: module(x).mean((2, 3)) + 1, x, module, whole=True)
    assert [step.name for step in tape.steps] == ["convolution", "relu", "mean", "add"]
    assert [step.module for step in tape.steps] == ["0", "1", "", ""]
    assert [step.inputs for step in tape.steps] == [[Value(n)] for n in range(4)]
    assert tape.modules == {"0": Value(1), "1": Value(2)}
    assert (tape.clean[1] < 0).any()  # as it was before the rectifier in place
    torch.testing.assert_close(tape.clean[tape.output.index], module(x).mean((2, 3)) + 1)


def test_values_are_replaced_inside_lists_and_dictionaries():
    one, two = torch.ones(1), torch.zeros(2)
    step = Step("dict", lambda *args, **kwargs: (*args, kwargs), (Value(0), [Value(3), 5]), {"dim": Value(3)}, (), "")
    args = step.run({Value(0): one, Value(3): two})
    assert args[0] is one
    assert args[1][0] is args[2]["dim"] is two
    assert args[1][1] == 5
    assert step.inputs == [Value(0), Value(3), Value(3)]


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x: torch.ones(1, 5), "the output does not depend on the input"),
        (lambda x: x * x.sum().item(), "returns a number that depends on the input"),
        (lambda x: torch.zeros(1, 3, 8, 8).add_(x), "writes into a tensor that does not depend on the input"),
        (lambda x: x[:, :1].relu_() + x, "changes a part of another tensor"),
    ],
)
def test_what_cannot_be_recorded_is_named(function, reason):
    with pytest.raises(UntraceableError, match=reason):
        record(function, torch.rand(1, 3, 8, 8))
