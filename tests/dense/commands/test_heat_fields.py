"""The JSON fields of a heat map."""

from cnnviz.app.records import schema, to_json
from cnnviz.dense.commands.heat_fields import HeatField, PeakField, Record
from cnnviz.models.catalog import ClassProbability


def test_places_and_curve_are_left_out_where_they_were_not_asked_for():
    field = HeatField(3, "cat", 0.5, PeakField(1, 2, 3.5))
    record = Record(network="n", top=[ClassProbability(3, "cat", 0.5)], classes=[field], sizes=[448], stride=32)
    line = to_json(record)
    assert line["classes"] == [{"index": 3, "name": "cat", "probability": 0.5, "peak": {"x": 1, "y": 2, "value": 3.5}}]
    assert not {"places", "curve"} & set(line)
    assert {"classes", "sizes", "stride"} <= set(schema(Record)["required"])
