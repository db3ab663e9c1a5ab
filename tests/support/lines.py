"""Lines of ``--json`` checked against the declared JSON fields of their command."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cnnviz.app.discovery import entries
from cnnviz.app.records import Line, schema
from cnnviz.cli import invoke


def checked_lines(text: str, command: Callable[..., Any]) -> list[dict]:
    """Return the objects of NDJSON; each has the fields of every line, and finished ones those of the command."""
    return _checked(text, command.command.run)  # type: ignore[attr-defined]


def json_lines(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> list[dict]:
    """Run ``cnnviz WORD... --json`` in this process, and return its lines, checked."""
    assert invoke([*map(str, words), "--json"]) == status
    return _checked(capsys.readouterr().out, entries()[words[0]].load().run)


def _checked(text: str, run: Any) -> list[dict]:
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        Draft202012Validator(schema(Line)).validate(line)
        if line["status"] != "error":
            summary = getattr(run, "summary", None)
            Draft202012Validator(schema(summary if summary and "photos" in line else run.record)).validate(line)
    return lines
