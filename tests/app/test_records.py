"""JSON fields declared as dataclasses: their schema, their JSON, and what a recipe holds of them."""

import json
from dataclasses import dataclass
from typing import Literal

import jsonschema
import pytest

from cnnviz.app.records import Line, RawRecord, Record, field, is_unfinished, print_line, schema, to_json


@dataclass(frozen=True)
class Part:
    share: float
    name: str | None


@dataclass(frozen=True, kw_only=True)
class Own(RawRecord, Record):
    parts: list[Part] = field("Parts.", minItems=1)
    done: int | None = field("How many.", default=None, progress_of="parts", minimum=0)
    kind: Literal["a", "b"] = field("Kind.")
    counts: dict[str, int] = field("By name.")
    batch: int = field("At a time.", recorded=False)


OWN = Own(network="n", parts=[Part(0.5, None)], kind="a", counts={"x": 1}, batch=4)


def test_the_schema_accepts_what_the_record_prints():
    described = schema(Own)
    jsonschema.validate(to_json(OWN), described)
    assert described["properties"]["parts"]["items"]["properties"]["name"] == {"type": ["string", "null"]}
    assert described["properties"]["kind"] == {"enum": ["a", "b"], "description": "Kind."}
    assert "done" not in described["required"]


@pytest.mark.parametrize(("key", "value"), [("parts", []), ("kind", "c"), ("counts", {"x": 1.5}), ("batch", None)])
def test_the_schema_refuses_other_values(key, value):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(to_json(OWN) | {key: value}, schema(Own))


def test_progress_is_left_out_of_finished_records_and_unrecorded_fields_of_recipes():
    assert "done" not in to_json(OWN)
    unfinished = Own(network="n", parts=[Part(0.5, None)], kind="a", counts={}, batch=4, done=0)
    assert to_json(unfinished)["done"] == 0
    assert is_unfinished(Own, to_json(unfinished))
    assert not is_unfinished(Own, to_json(OWN))
    assert set(to_json(OWN)) - set(to_json(OWN, recorded=True)) == {"batch", "raw"}


def test_a_line_is_printed_as_one_json_object(capsys):
    print_line({"a": [1, None]})
    assert json.loads(capsys.readouterr().out) == {"a": [1, None]}
    with pytest.raises(ValueError, match="JSON"):
        print_line({"a": float("nan")})
    assert {"schema", "command", "status", "error"} <= set(schema(Line)["properties"])
