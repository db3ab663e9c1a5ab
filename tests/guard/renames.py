"""What the restructuring renames, for ``byte_guard.py --renamed``. Without that option none of it is used.

Tables are by command, as the base calls it; "*" holds for every command.
"""

from collections.abc import Callable
from typing import Any

# Command lines: old flag -> new flag, such as {"adversarial": {"--transfer": "--ensemble"}}.
OPTIONS: dict[str, dict[str, str]] = {}
# Values on command lines: flag as the base has it -> old value -> new value, such as
# {"inceptionism": {"--method": {"lecture": "plain"}}}. Each part of a value with commas is looked up.
ARGUMENTS: dict[str, dict[str, dict[str, str]]] = {}
# Commands whose name changes in every case.
COMMANDS: dict[str, str] = {}
# Cases whose command lines are given anew, in the form of cases.py and as many of them; the tables above do not apply.
REPLACED: dict[str, str] = {}

# JSON, of lines, recipes and the names of arrays: old key -> new key, None where it is gone.
KEYS: dict[str, dict[str, str | None]] = {}
# JSON: keys (by their new name) that the base does not have.
ADDED: dict[str, set[str]] = {}
# JSON values by their old key: old value -> new value; also the items of a list.
VALUES: dict[str, dict[str, dict[Any, Any]]] = {}
# JSON values by their old key: what makes the new value of the old one, such as {"adversarial": {"margin": negative}}.
HOOKS: dict[str, dict[str, Callable[[Any], Any]]] = {}
# Parts of file names and of texts in JSON: old -> new, such as {"cat-deconv": "cat-project"}.
TEXTS: dict[str, str] = {}
# JSON values by key whose text is not compared, only whether there is one: messages may be worded anew.
MESSAGES: set[str] = {"error", "engine_reason"}
# Keys of a recipe's "versions" that are not compared.
VERSIONS: set[str] = {"cnnviz"}

# Cases whose standard output, where it is neither JSON nor a file's bytes, may be worded anew.
REWORDED: set[str] = set()
# Cases whose difference is meant, with the reason, which is printed.
MEANT: dict[str, str] = {}


def _table(tables: dict[str, dict[str, Any]], command: str) -> dict[str, Any]:
    """Return what a table holds for a command and for all of them."""
    return tables.get("*", {}) | tables.get(command, {})


def words(old: list[str]) -> list[str]:
    """Return a command line as the new tree has it."""
    if not old:
        return old
    command, flags, values = old[0], _table(OPTIONS, old[0]), _table(ARGUMENTS, old[0])
    new, before = [COMMANDS.get(command, command)], ""
    for word in old[1:]:
        if word in flags or word.startswith("--"):
            new.append(flags.get(word, word))
        else:
            known = values.get(before, {})
            new.append(",".join(known.get(part, part) for part in word.split(",")))
        before = word
    return new


def text(old: str) -> str:
    """Return a text, such as a file's name, as the new tree has it."""
    for part, other in TEXTS.items():
        old = old.replace(part, other)
    return old


def json_value(old: Any, command: str, names: dict[str, str], key: str = "") -> Any:
    """Return a JSON value of the base as the new tree has it; ``names`` are the commands of the case, old to new."""
    if isinstance(old, dict):
        keys = _table(KEYS, command)
        pairs = ((keys.get(name, name), json_value(value, command, names, name)) for name, value in old.items())
        return {name: value for name, value in pairs if name is not None}
    hook = _table(HOOKS, command).get(key)
    if hook is not None:
        return hook(old)
    if isinstance(old, list):
        return [json_value(item, command, names, key) for item in old]
    if key == "command" and old in names:
        return names[old]
    known = _table(VALUES, command).get(key, {})
    if not isinstance(old, float) and old in known:
        return known[old]
    return text(old) if isinstance(old, str) else old


def settled(value: Any, command: str = "") -> Any:
    """Return a JSON value without what is not compared: messages' texts, versions, keys that were added."""
    if isinstance(value, list):
        return [settled(item, command) for item in value]
    if not isinstance(value, dict):
        return value
    added = ADDED.get("*", set()) | ADDED.get(command, set())
    new = {}
    for key, item in value.items():
        if key in added:
            continue
        if key in MESSAGES and isinstance(item, str):
            new[key] = "(a message)"
        elif key == "versions" and isinstance(item, dict):
            new[key] = {name: version for name, version in item.items() if name not in VERSIONS}
        else:
            new[key] = settled(item, command)
    return new


def member(old: str, command: str) -> str:
    """Return the name of an array in .npz as the new tree has it."""
    return str(_table(KEYS, command).get(old, old))
