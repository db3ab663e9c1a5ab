"""The generated blocks of the pages: help, tables of commands and of JSON fields, the JSON Schema."""

import json
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

from click.testing import CliRunner

from cnnviz.app.discovery import SECTIONS, entries, section_entries, section_title
from cnnviz.app.records import Line, schema
from cnnviz.cli import cli

WIDTH = 98
SCHEMA = Path(__file__).parents[1] / "cnnviz/data/schema-1.json"


def page(*words: str) -> str:
    """Return ``cnnviz WORDS --help`` and what it prints, as a block of a Markdown page."""
    line = [*words, "--help"]
    result = CliRunner().invoke(cli, line, prog_name="cnnviz", terminal_width=WIDTH, catch_exceptions=False)
    text = "\n".join(row.rstrip() for row in result.output.strip("\n").splitlines())
    return f"```console\n$ cnnviz {' '.join(line)}\n{text}\n```\n"


def table(folder: str = "docs/") -> str:
    """Return the commands as a Markdown table, by section: name with a link to its page, and what it does."""
    rows = ["| | command | what it does |\n|---|---|---|\n"]
    for section in SECTIONS:
        for number, entry in enumerate(section_entries(section)):
            title = "" if number else section_title(section)
            rows.append(f"| {title} | [{entry.name}]({folder}{entry.name}.md) | {entry.summary.rstrip('.')} |\n")
    return "".join(rows)


def record_of(name: str) -> type | None:
    """Return the record class of a command; None for one that prints no lines of ``--json``."""
    command = entries()[name].load()
    return getattr(getattr(command, "run", None), "record", None)


def fields_table(name: str) -> str:
    """Return the JSON fields of a command as a Markdown table, those of every line left out."""
    record = record_of(name)
    assert record is not None
    own = [item for item in fields(record) if item.name not in {line.name for line in fields(Line)}]
    hints = get_type_hints(record)
    rows = []
    for item in own:
        inner = inner_fields(hints[item.name])
        rows.append(f"| `{item.name}` | {item.metadata['help']}{inner} |\n")
    return "| field | what it holds |\n|---|---|\n" + "".join(rows)


def inner_fields(hint: object) -> str:
    """Return the keys of objects inside a field, as text."""
    keys = schema(hint)
    while "items" in keys or "additionalProperties" in keys:
        keys = keys.get("items") or keys["additionalProperties"]
    names = [f"`{key}`" for key in keys.get("properties", {})]
    return f" Each: {', '.join(names)}." if names else ""


def json_schema() -> str:
    """Return the JSON Schema of all lines of ``--json``, by command."""
    kinds = []
    for name, entry in sorted(entries().items()):
        run = entry.load().run
        for record in filter(None, (getattr(run, "record", None), getattr(run, "summary", None))):
            own, fixed = schema(record), {"command": {"const": name}, "error": {"type": "null"}}
            if getattr(run, "suffix", "") is None:  # it writes no file
                fixed["output"] = {"type": "null"}
            properties = fixed | {"status": {"enum": ["ok", "partial", "missed"]}} | own["properties"]
            kinds.append({"title": name, "required": own["required"], "properties": properties})
    failed = {"title": "a failure", "properties": {"status": {"const": "error"}, "error": {"type": "string"}}}
    whole = schema(Line) | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://cnnviz.org/schema/1/",
        "title": "One line of what cnnviz prints with --json",
        "anyOf": [*kinds, failed],
    }
    return json.dumps(whole, indent=1) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(json_schema(), "utf-8")
