"""What the restructuring renames, for ``byte_guard.py --renamed``. Without that option none of it is used.

Tables are by command, as the base calls it; "*" holds for every command. Those of JSON are also by the new name of a
command, which goes before the old one, and by NAME.KEY for what holds inside the value of KEY alone, such as the
options of a recipe.
"""

from collections.abc import Callable
from typing import Any

# Command lines: old flag -> new flag.
OPTIONS: dict[str, dict[str, str]] = {
    "*": {"--classes": "--class-names"},
    "adversarial": {
        "--transfer": "--ensemble",
        "--judge": "--check-with",
        "--survive": "--robust-to",
        "--true-class": "--ground-truth",
    },
    "deconv": {"--channels": "--channel", "--rule": "--other-activations", "--field": "--receptive-field"},
    "dream": {"--size": "--long-side", "--layers": "--layer-sequence", "--approx": "--approximate-tiles"},
    "evaluate": {
        "--delete-to": "--deletion-baseline",
        "--insert-into": "--insertion-baseline",
        "--randoms": "--shifts",
        "--stages": "--randomize-stages",
    },
    "inceptionism": {
        "--judge": "--check-with",
        "--prior": "--preconditioner",
        "--statistics-weight": "--batchnorm-weight",
        "--decorrelation": "--color-correlation",
    },
    "robustness": {"--true-class": "--ground-truth"},
    "sticker": {"--least": "--min-success", "--renders": "--preview"},
}
# Values on command lines: flag as the base has it -> old value -> new value. Each part of a value with commas is
# looked up.
ARGUMENTS: dict[str, dict[str, dict[str, str]]] = {
    "adversarial": {"--method": {"grid": "minimal"}},
    "inceptionism": {"--method": {"lecture": "plain"}},
}
# Commands whose name changes in every case.
COMMANDS: dict[str, str] = {}
# Cases whose command lines are given anew, in the form of cases.py and as many of them; the tables above do not apply.
TOP_IMAGES = "top-images library --layer blocks.2 --top 3 --channel 3,7-8 -o two/"
REPLACED: dict[str, str] = {
    "adversarial-universal": "universal library --steps 2 --eps 6 --keep-failed -o made/ --json",
    "adversarial-universal-missed": "universal library --steps 1 --eps 1 --input-size 96 --resize 100 -o made/",
    "deconv-folder": f"{TOP_IMAGES} --json\n{TOP_IMAGES} --resume --json\nshow two/blocks.2-0003.png",
    "deconv-folder-bad": "top-images bad --layer blocks.1 --top 2 --channel 0 --method gradient --json",
    "kernels-first": "kernels --json\nshow --rerun efficientnet_lite0-kernels.png -o again.png",
    "kernels-layer": "kernels -m efficientnet_lite0 --layer blocks.0.0.conv_pw --channel 3 -o k.jpg --json\n"
    "kernels -m squeezenet1_1 --weights squeeze.pth --layer features.3.expand3x3 --channel 1 -o - > s.png",
    "layers": "layers\nlayers -m squeezenet1_1 --json\nlayers -m zfnet",
}

# JSON, of lines, recipes and the names of arrays: old key -> new key, None where it is gone.
KEYS: dict[str, dict[str, str | None]] = {
    "*": {"weights_file": "weights", "classes_file": "class_names"},
    "activations.options": {"channels": "channel", "size": "input_size"},
    "adversarial": {"survival": "robust_to", "transfer": "other_networks"},
    "adversarial.options": {
        "transfer": "ensemble",
        "judges": "check_with",
        "survive": "robust_to",
        "true": "ground_truth",
        "size": "input_size",
    },
    "attribute.options": {"methods": "method", "size": "input_size"},
    "deconv.options": {
        "channels": "channel",
        "field": "receptive_field",
        "rule": "other_activations",
        "size": "input_size",
        "span": None,
    },
    "dream": {"aim": "objective", "class": "class_name"},
    "dream.options": {
        "approx": "approximate_tiles",
        "channels": "channel",
        "guides": "guide",
        "layers": "layer_sequence",
        "longer": "long_side",
        "mask_file": "mask",
    },
    "evaluate": {
        "class": "class_name",
        **{
            f"random_{name}{part}": f"shifted_{name}{part}"
            for name in ("deletion", "insertion")
            for part in ("", "_auc", "_auc_range")
        },
    },
    "evaluate.options": {
        "boxes": "box",
        "delete_to": "deletion_baseline",
        "insert_into": "insertion_baseline",
        "labels": "label",
        "map_files": "map",
        "mask_file": "mask",
        "randoms": "shifts",
        "size": "input_size",
        "stages": "randomize_stages",
    },
    "inceptionism": {"class": "class_name", "judges": "held_out", "pictures": "images"},
    "inceptionism.options": {
        "decorrelation": "color_correlation",
        "judges": "check_with",
        "prior": "preconditioner",
        "statistics_weight": "batchnorm_weight",
    },
    "kernels.options": {"channels": "channel"},
    "occlude.options": {"size": "input_size"},
    "robustness.options": {"true": "ground_truth", "size": "input_size"},
    "sticker": {"share": "success_rate", "lost": "misclassified_rate"},
    "sticker.options": {"least": "min_success", "size": "input_size"},
    "top-images.options": {"bare": None, "channels": None, "span": "channel"},
    "universal": {"method": None, "finish": None},
    "universal.options": dict.fromkeys(
        ("goal", "method", "norm", "margin", "thorough", "survive", "transfer", "judges"), None
    ),
    "visualize.options": {"channels": "channel"},
}
# JSON: keys (by their new name) that the base does not have.
ADDED: dict[str, set[str]] = {"kernels.numbers": {"network"}}
# JSON values by their old key: old value -> new value; also the items of a list.
VALUES: dict[str, dict[str, dict[Any, Any]]] = {
    "adversarial": {"method": {"grid": "minimal"}, "finish": {"grid": "minimal"}},
    "inceptionism.options": {"method": {"lecture": "plain"}},
    "sticker": {"option": {"renders": "preview"}},
}


def _texts(old: list[int]) -> list[str]:
    """Return numbers as texts."""
    return [str(number) for number in old]


def _fixed_steps(old: dict[str, Any]) -> dict[str, Any]:
    """Return the options of an attack: a method that has a fixed number of steps has none of its own."""
    return old | {"steps": None} if old["method"] in {"fgsm", "autoattack"} else old


# JSON values by their old key: what makes the new value of the old one, before the keys in it are renamed.
HOOKS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "activations.options": {"channels": _texts},
    "adversarial": {"options": _fixed_steps},
    "deconv.options": {"channels": _texts},
    "dream": {"options": lambda old: {"mask_file": None} | old},
    "kernels": {
        "options": lambda old: old | {"classes_file": None, "device": "auto", "dtype": "float32", "mean": None}
    },
    "kernels.options": {"channels": _texts},
    "top-images": {"": lambda old: old | {"network": None} if old.get("error") else old},
    "top-images.options": {"span": lambda old: [old]},
}
# Parts of file names and of texts in JSON: old -> new.
TEXTS: dict[str, str] = {
    "bad-deconv": "bad-top-images",
    "library-universal-adversarial": "library-pattern-universal",
    **{f"{name}{at}-adversarial": f"{name}{at}-universal" for name in ("cat", "cup") for at in range(4)},
}
# JSON values by key whose text is not compared, only whether there is one: messages may be worded anew.
MESSAGES: set[str] = {"error", "engine_reason", "misclassified", "probabilities", "randomized", "zero_gradients"}
# Keys of a recipe's "versions" that are not compared.
VERSIONS: set[str] = {"cnnviz"}

# Cases whose standard output, where it is neither JSON nor a file's bytes, may be worded anew.
REWORDED: set[str] = {"evaluate-map", "robustness-table"}
# Cases whose difference is meant, with the reason, which is printed.
CAPTIONS = "captions reworded; pixels outside text equal"
SIZE = "--size no longer sets the network's input size too; equal where it does"
MEANT: dict[str, str] = {
    **dict.fromkeys(("activations-default", "activations-overlay", "activations-stdout"), CAPTIONS),
    **dict.fromkeys(("deconv-guided", "deconv-max-pools", "deconv-photo"), CAPTIONS),
    **dict.fromkeys(("evaluate-default", "evaluate-map", "evaluate-randomize"), CAPTIONS),
    "evaluate-raw-mask": f"{CAPTIONS}; the file of --map holds a recipe with other option names",
    **dict.fromkeys(("inceptionism-folder", "inceptionism-lecture", "inceptionism-one"), SIZE),
    **dict.fromkeys(("inceptionism-random", "inceptionism-sheet"), f"{SIZE}; {CAPTIONS}"),
    **dict.fromkeys(("occlude-panels", "occlude-partial"), CAPTIONS),
    **dict.fromkeys(("visualize-channels", "visualize-direction"), CAPTIONS),
}


def _table(tables: dict[str, dict[str, Any]], *names: str) -> dict[str, Any]:
    """Return what a table holds for all commands and for some names; the last goes before the others."""
    return {key: value for name in ("*", *names) for key, value in tables.get(name, {}).items()}


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


def json_value(old: Any, command: str, names: dict[str, str], key: str = "", within: str = "") -> Any:
    """Return a JSON value of the base as the new tree has it.

    ``names`` are the commands of the case, old to new. ``key`` is the value's and ``within`` that of what it is in.
    """

    def table(tables: dict[str, dict[str, Any]], part: str) -> dict[str, Any]:
        scopes = [scope for name in (command, names.get(command, command)) for scope in (name, f"{name}.{part}")]
        return _table(tables, *scopes)

    hook = table(HOOKS, within).get(key)
    if hook is not None:
        old = hook(old)
    if isinstance(old, dict):
        keys = table(KEYS, key)
        pairs = ((keys.get(name, name), json_value(value, command, names, name, key)) for name, value in old.items())
        return {name: value for name, value in pairs if name is not None}
    if hook is not None:
        return old
    if isinstance(old, list):
        return [json_value(item, command, names, key, within) for item in old]
    if key == "command" and old in names:
        return names[old]
    known = table(VALUES, within).get(key, {})
    if not isinstance(old, float) and old in known:
        return known[old]
    return text(old) if isinstance(old, str) else old


def settled(value: Any, command: str = "", within: str = "") -> Any:
    """Return a JSON value without what is not compared: messages' texts, versions, keys that were added."""
    if isinstance(value, list):
        return [settled(item, command, within) for item in value]
    if not isinstance(value, dict):
        return value
    added = ADDED.get("*", set()) | ADDED.get(command, set()) | ADDED.get(f"{command}.{within}", set())
    new: dict[str, Any] = {}
    for key, item in value.items():
        if key in added:
            continue
        if key in MESSAGES and isinstance(item, str):
            new[key] = "(a message)"
        elif key == "versions" and isinstance(item, dict):
            new[key] = {name: version for name, version in item.items() if name not in VERSIONS}
        else:
            new[key] = settled(item, command, key)
    return new


def member(old: str, command: str) -> str:
    """Return the name of an array in .npz as the new tree has it."""
    return str(_table(KEYS, command).get(old, old))
