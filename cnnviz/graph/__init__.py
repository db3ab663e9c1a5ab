"""The network as a graph of operators: receptive fields, folding."""

from cnnviz.graph.fields import ALL, UNKNOWN, Field, Layer, layers, watch
from cnnviz.graph.fold import fold

__all__ = ["ALL", "UNKNOWN", "Field", "Layer", "fold", "layers", "watch"]
