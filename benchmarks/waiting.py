"""How long one waits: ``python benchmarks/waiting.py [threads] [terminal]``; writes waiting.json.

threads: the same batches through the default network, with torch's waiting threads spinning or asleep, alone and next
to processes that keep all CPUs busy; medians over interleaved processes.

terminal: seconds from a command's start to its first words on a terminal, and from Ctrl-C to an answer and to the
prompt, at different moments and for a photo of 1600 pixels; medians, also in CPU seconds, which other programs do not
change.
"""

import json
import os
import pty
import re
import select
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
Row = dict[str, float]
ROUNDS = 3
WORK = """
import time, torch
from cnnviz import load_network
network, x = load_network(device="cpu").folded, torch.rand(4, 3, 224, 224)
with torch.inference_mode():
    network(x)
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(8):
        network(x)
print((time.process_time() - cpu) / 32, (time.perf_counter() - wall) / 32)
"""
# Words, the pattern after which Ctrl-C is pressed, and how many seconds after it.
REGION = "400,300 900,300 900,800 400,800"
STYLE = f"style PHOTO --style {HERE.parent / 'sample_images' / 'coffee.jpg'}"
CASES = {
    "classify, importing torch": ("classify PHOTO", "loading", 0.5),
    "occlude": ("occlude PHOTO", r"[1-9]\d*/256", 0.0),
    "occlude, whole photo, planning": ("occlude PHOTO --fit whole", "planning", 0.5),
    "dream, fine": ("dream PHOTO", "step 31", 0.3),
    "style, fine": (f"{STYLE} --steps 10", "step 3[5-9]", 0.3),
    "inceptionism": ("inceptionism --class lynx", r"[1-9]\d*/256", 0.0),
    "visualize": ("visualize --layer blocks.4 --channel 3", r"[1-9]\d*/96", 0.0),
    "attribute": ("attribute PHOTO --method integrated-gradients", r"[1-9]\d*/50", 0.0),
    "deconv": ("deconv PHOTO --layer blocks.4", "computing", 0.5),
    "sticker": ("sticker PHOTO --target-class lynx --region REGION", "optimising", 1.0),
}


def once(policy: str) -> tuple[float, float]:
    """Return CPU and wall seconds per image, measured in a separate process."""
    done = subprocess.run(
        [sys.executable, "-c", WORK], env=os.environ | {"OMP_WAIT_POLICY": policy}, capture_output=True, check=True
    )
    cpu, wall = map(float, done.stdout.split())
    return cpu, wall


def rounds() -> dict[str, dict[str, float]]:
    """Return the medians of both policies, whose runs alternate."""
    times: dict[str, list[tuple[float, float]]] = {"ACTIVE": [], "PASSIVE": []}
    for _ in range(ROUNDS):
        for policy, row in times.items():
            row.append(once(policy))
    pairs = {policy: list(zip(*row, strict=True)) for policy, row in times.items()}
    return {
        policy: {"cpu_ms": round(1e3 * statistics.median(cpu), 1), "wall_ms": round(1e3 * statistics.median(wall), 1)}
        for policy, (cpu, wall) in pairs.items()
    }


def cpu_seconds(process: int) -> float:
    """Return the CPU time that a process has used, in all its threads (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def press(words: list[str], after: str, seconds: float) -> Row:
    """Run a command on a terminal and press Ctrl-C ``seconds`` after a pattern was shown; return what is stored."""
    start, shown, seen, row = time.monotonic(), b"", 0.0, Row()
    process, terminal = pty.fork()
    if not process:
        os.environ.update(TERM="xterm", NO_COLOR="")
        os.execv(sys.executable, [sys.executable, "-m", "cnnviz", *words])
    pressed = length = cpu = 0.0
    while True:
        ready, now = select.select([terminal], [], [], 0.01)[0], time.monotonic()
        if ready:
            try:
                shown += os.read(terminal, 1 << 16)
            except OSError:  # its last writer has gone
                break
            if not row:
                row = {"first_words_s": now - start, "first_words_cpu_s": cpu_seconds(process)}
        seen = seen or (now if re.search(after.encode(), shown) else 0.0)
        if seen and not pressed and now - seen >= seconds:
            cpu, length, pressed = cpu_seconds(process), len(shown), now
            os.write(terminal, b"\x03")
        elif pressed and "answer_s" not in row and re.search(rb"stopp|interrupted", shown[int(length) :]):
            row["answer_s"] = now - pressed
    os.close(terminal)
    _, status, usage = os.wait4(process, 0)
    if os.waitstatus_to_exitcode(status) != 130 or b"Traceback" in shown:
        sys.exit(f"{' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}: {shown.decode()}")
    used = usage.ru_utime + usage.ru_stime - cpu
    return row | {"prompt_s": time.monotonic() - pressed, "prompt_cpu_s": used}


def terminal(folder: Path) -> dict[str, Row]:
    """Return the medians of ``press`` for every case."""
    photo, results = folder / "photo.png", {}
    Image.open(HERE.parent / "sample_images" / "chelsea.jpg").resize((1600, 1064)).save(photo)
    for name, (words, after, seconds) in CASES.items():
        line = [word.replace("PHOTO", str(photo)).replace("REGION", REGION) for word in words.split()] + (
            [] if words.startswith("classify") else ["-o", str(folder / "out.png"), "--overwrite"]
        )
        rows = [press(line, after, seconds) for _ in range(ROUNDS)]
        results[name] = {key: round(statistics.median(row[key] for row in rows), 2) for key in rows[0]}
        print(f"{name:<32}" + "".join(f"{value:>8.2f}" for value in results[name].values()), flush=True)
    return results


def threads() -> dict[str, dict[str, dict[str, float]]]:
    """Return the cost of both policies, alone and beside busy processes, and print the table."""
    results = {"alone": rounds()}
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        results["beside a busy program"] = rounds()
    finally:
        for process in busy:
            process.kill()
    for place, policies in results.items():
        for policy, row in policies.items():
            print(f"{place:<22} {policy:<8} {row['cpu_ms']:>7} ms CPU {row['wall_ms']:>7} ms wall per image")
    return results


def main() -> None:
    """Measure what the command line names, or all, and store it."""
    wanted, file = sys.argv[1:] or ["threads", "terminal"], HERE / "waiting.json"
    record = json.loads(file.read_text()) | {"cpus": os.cpu_count(), "rounds": ROUNDS}
    if "threads" in wanted:
        record["results"] = threads()
    if "terminal" in wanted:
        print(f"{'':<32}{'words s':>8}{'CPU s':>8}{'answer':>8}{'prompt':>8}{'CPU s':>8}")
        with tempfile.TemporaryDirectory() as folder:
            record["terminal"] = terminal(Path(folder))
    file.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
