"""The network as a graph of operators: receptive fields, folding, incremental evaluation, other derivatives."""

from cnnviz.graph.difference import differences
from cnnviz.graph.fields import ALL, UNKNOWN, Field, Layer, layers, watch
from cnnviz.graph.fold import fold, sole_readers, twin
from cnnviz.graph.incremental import Incremental
from cnnviz.graph.region import Box
from cnnviz.graph.rewrite import Method, Played, Rule, UndefinedError, play
from cnnviz.graph.tape import Tape, UntraceableError, Value, record

__all__ = [
    "ALL", "UNKNOWN", "Box", "Field", "Incremental", "Layer", "Method", "Played", "Rule", "Tape", "UndefinedError",
    "UntraceableError", "Value", "differences", "fold", "layers", "play", "record", "sole_readers", "twin",
    "watch",
]  # fmt: skip
