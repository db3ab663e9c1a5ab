"""The network as a graph of operators: receptive fields, folding, incremental evaluation."""

from cnnviz.graph.fields import ALL, UNKNOWN, Field, Layer, layers, watch
from cnnviz.graph.fold import fold
from cnnviz.graph.incremental import Incremental
from cnnviz.graph.region import Box
from cnnviz.graph.tape import UntraceableError

__all__ = ["ALL", "UNKNOWN", "Box", "Field", "Incremental", "Layer", "UntraceableError", "fold", "layers", "watch"]
