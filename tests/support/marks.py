"""Measures of the package's source: sizes, signatures, imports, names. Run it to print them all."""

import ast
import re
import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "cnnviz"
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text("utf-8")) for path in FILES}
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def module(path: Path) -> str:
    """The dotted name of a file."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every function with the place it is defined at."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, FUNCTION):
                yield f"{module(path)}:{node.name}", node


def lines() -> dict[str, int]:
    """Lines of every file."""
    return {module(path): len(path.read_text("utf-8").splitlines()) for path in FILES}


def bodies() -> dict[str, int]:
    """Lines of every function's body, its docstring left out."""
    sizes = {}
    for name, node in functions():
        documented = ast.get_docstring(node) and len(node.body) > 1
        sizes[f"{name}:{node.lineno}"] = node.end_lineno - node.body[1 if documented else 0].lineno + 1
    return sizes


def signatures() -> dict[str, int]:
    """Parameters of every function, self left out."""
    found = {}
    for name, node in functions():
        names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        found[f"{name}:{node.lineno}"] = len([n for n in names if n not in ("self", "cls")])
    return found


def undocumented() -> list[str]:
    """Public functions and classes without a docstring."""
    bare = []
    for path, tree in TREES.items():
        members = [inner for node in tree.body if isinstance(node, ast.ClassDef) for inner in node.body]
        for node in [*tree.body, *members]:
            named = isinstance(node, (*FUNCTION, ast.ClassDef)) and not node.name.startswith("_")
            if named and not ast.get_docstring(node):
                bare.append(f"{module(path)}:{node.name}")
    return bare


def own_imports() -> dict[str, int]:
    """How many modules of the package each module imports."""
    found = {}
    known = {module(path) for path in FILES}
    for path, tree in TREES.items():
        names = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cnnviz"):
                inner = {f"{node.module}.{a.name}" for a in node.names}
                names |= {name for name in inner if name in known} or {node.module}
        found[module(path)] = len(names)
    return found


def homonyms() -> list[str]:
    """Public classes that two modules define; a command's own Options and Record are named so in every command."""
    names = Counter(
        node.name
        for path, tree in TREES.items()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        and not (path.parent.name == "commands" and node.name in ("Options", "Record"))
    )  # fmt: skip
    return [name for name, count in names.items() if count > 1]


def any_uses() -> int:
    """How often ``Any`` is used as a type."""
    count = 0
    for node in (node for tree in TREES.values() for node in ast.walk(tree)):
        quoted = (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search(r"\bAny\b[\]|,]", node.value)
        )
        count += bool(quoted) or (isinstance(node, ast.Name) and node.id == "Any")
    return count


def option_dictionaries() -> int:
    """How often an option is read from a dictionary by its name."""
    return sum(path.read_text("utf-8").count('options["') for path in FILES)


def untested() -> list[str]:
    """Modules without a test file of their own name."""
    missing = []
    for path in FILES:
        if path.stem in ("__init__", "__main__"):
            continue
        place = ROOT / "tests" / path.parent.relative_to(PACKAGE) / f"test_{path.stem}.py"
        if not place.is_file():
            missing.append(module(path))
    return missing


def like_the_standard_library() -> list[str]:
    """Modules that are named like one of Python's, but for io, a package that nothing shadows."""
    return [module(path) for path in FILES if path.stem in sys.stdlib_module_names and path.stem != "__main__"]


def report() -> str:
    """All measures as text."""
    sizes, body = sorted(lines().values()), sorted(bodies().values())
    imports = list(own_imports().values())
    worst = lambda table, limit: [f"{k} {v}" for k, v in sorted(table.items(), key=lambda kv: -kv[1]) if v > limit]  # noqa: E731
    return "\n".join([
        f"files {len(FILES)}, lines {sum(sizes)}; median {statistics.median(sizes)}, max {sizes[-1]}",
        f"files over 280 lines: {worst(lines(), 280)}",
        f"bodies: p90 {body[int(len(body) * 0.9)]}, longest {body[-1]}: {worst(bodies(), 40)}",
        f"widest signature: {max(signatures().values())}: {worst(signatures(), 10)}",
        f"public names without docstring: {undocumented()}",
        f"Any {any_uses()}, options[ {option_dictionaries()}",
        f"own imports: mean {statistics.mean(imports):.2f}, max {max(imports)}: {worst(own_imports(), 12)}",
        f"public classes of one name: {homonyms()}",
        f"modules without a test of their name: {untested()}",
        f"named like the standard library: {like_the_standard_library()}",
    ])  # fmt: skip


if __name__ == "__main__":
    print(report())
