"""What two runs of a case left, compared: statuses, standard output, files."""

import json
import re
from pathlib import Path
from typing import Any

import payload
import renames

SECONDS = re.compile(rb'("seconds": )[-+.0-9eE]+')
Record = dict[str, Any]


def case(name: str, old: Path, new: Path, names: dict[str, str], *, renamed: bool) -> list[str]:
    """Return the differences between a case's two runs; none where they are the same.

    ``old`` and ``new`` are the folders of all results. ``names``: the commands of the case's lines, old to new.
    """
    before, after = (json.loads((folder / f"{name}.json").read_text()) for folder in (old, new))
    found = _statuses(before["lines"], after["lines"])
    if name.startswith("status-"):
        return found
    rename = renames.text if renamed else str
    there = {rename(file): file for file in before["files"]}
    found += [f"{file} is not written" for file in there if file not in after["files"]]
    found += [f"{file} is written anew" for file in after["files"] if file not in there]
    for file in sorted(set(there) & set(after["files"])):
        if before["files"][there[file]] == after["files"][file]:
            continue
        pair = (old / name / there[file]).read_bytes(), (new / name / file).read_bytes()
        loose = renamed and name in renames.REWORDED and file.startswith(".stdout-")
        found += [f"{file}: {what}" for what in _contents(*pair, names, renamed=renamed, loose=loose)]
    return found


def _statuses(before: list[Record], after: list[Record]) -> list[str]:
    """Return the differences between the exit statuses."""
    if len(before) != len(after):
        return [f"{len(before)} command lines became {len(after)}"]
    found = []
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        if old["status"] != new["status"]:
            found.append(f"line {number}: status {old['status']} became {new['status']}: {new['said'].strip()[-300:]}")
        elif old["traceback"] != new["traceback"]:
            found.append(f"line {number}: a traceback: {old['traceback']} became {new['traceback']}")
    return found


def _contents(old: bytes, new: bytes, names: dict[str, str], *, renamed: bool, loose: bool) -> list[str]:
    """Return the differences between two files' bytes."""
    lines = _json(old), _json(new)
    if lines[0] is not None and lines[1] is not None:
        if SECONDS.sub(rb"\1", old) == SECONDS.sub(rb"\1", new):
            return []
        found = _values(*lines, names, renamed=renamed)
        return found or ([] if renamed else ["the JSON's text differs, its values do not"])
    parts, recipes = zip(*(payload.split(data) for data in (old, new)), strict=True)
    if recipes == (None, None) and set(parts[0]) == {"bytes"} and _is_text(old):
        return [] if loose else [_texts(old, new)]
    if renamed:
        command = (recipes[0] or {}).get("command", "")
        parts = {renames.member(name, command): value for name, value in parts[0].items()}, parts[1]
    found = [f"payload: {what}" for what in different(*parts)]
    found += [f"recipe: {what}" for what in _values(*recipes, names, renamed=renamed)]
    return found or ([] if renamed else ["the bytes differ, payload and recipe do not"])


def _is_text(data: bytes) -> bool:
    """Return whether bytes are text."""
    try:
        return "\0" not in data.decode()
    except UnicodeDecodeError:
        return False


def _json(data: bytes) -> Any:
    """Return the JSON in bytes, a list where it is one value a line; None where it is no JSON object."""
    if not data.lstrip().startswith(b"{"):
        return None
    for read in (json.loads, lambda text: [json.loads(line) for line in text.splitlines()]):
        try:
            return read(data)
        except ValueError:
            continue
    return None


def _values(old: Any, new: Any, names: dict[str, str], *, renamed: bool) -> list[str]:
    """Return where two JSON values differ, the first with the names of the new tree if ``renamed``."""
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        found = [_values(a, b, names, renamed=renamed) for a, b in zip(old, new, strict=True)]
        return [f"[{at}]{what}" for at, whats in enumerate(found) for what in whats]
    if isinstance(old, dict) and isinstance(new, dict):
        old, new = ({key: value for key, value in one.items() if key != "seconds"} for one in (old, new))
        if renamed:
            command = str(old.get("command", next(iter(names), "")))
            old = renames.settled(renames.json_value(old, command, names))
            new = renames.settled(new, command)
    return different(old, new)


def different(old: Any, new: Any, path: str = "") -> list[str]:
    """Return the paths at which two JSON values differ, at most some, with both values."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = [f"{path}.{key} is gone" for key in old if key not in new]
        found += [f"{path}.{key} is new" for key in new if key not in old]
        found += [what for key in old if key in new for what in different(old[key], new[key], f"{path}.{key}")]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        found = [w for at, pair in enumerate(zip(old, new, strict=True)) for w in different(*pair, f"{path}[{at}]")]
    else:
        same = type(old) is type(new) and old == new
        found = [] if same else [f"{path or 'value'}: {str(old)[:60]!r} became {str(new)[:60]!r}"]
    return found[:8]


def _texts(old: bytes, new: bytes) -> str:
    """Return the first line in which two texts differ."""
    lines = old.decode().splitlines(), new.decode().splitlines()
    for number, (a, b) in enumerate(zip(*lines, strict=False)):
        if a != b:
            return f"text line {number + 1}: {a[:70]!r} became {b[:70]!r}"
    return f"{len(lines[0])} lines of text became {len(lines[1])}"
