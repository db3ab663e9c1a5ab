"""Ctrl-C at a terminal is answered while the main thread is inside a long call into a library."""

import os
import pty
import sys
import time

import pytest

from cnnviz.app.status_line import STOPPING

# No signal ends the call, and other threads run beside it, as beside torch's.
CODE = """
import hashlib
from cnnviz.app.console import Console
from cnnviz.app.interrupts import watch
from cnnviz.app.resume import stop_on_interrupt

watch(Console())
with stop_on_interrupt(begun={begun}) as stop:
    print("begun", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", {rounds})
    print("finished", stop.interrupted, flush=True)
"""
LONG, SHORT = 200_000_000, 8_000_000  # about 100 and 4 seconds


def on_terminal(code: str, *presses: str) -> tuple[int, str]:
    """Run Python code on a terminal, press Ctrl-C after each of some words; return its status and what it showed."""
    process, terminal = pty.fork()
    if not process:
        os.environ.update(TERM="xterm", NO_COLOR="", PYTHONPATH=os.pathsep.join(sys.path))
        os.execv(sys.executable, [sys.executable, "-c", code])
    shown, left = "", list(presses)
    while True:
        try:
            shown += os.read(terminal, 1 << 16).decode()
        except OSError:  # its last writer has gone
            break
        if left and left[0] in shown:
            left.pop(0)
            time.sleep(0.3)  # until the call has begun
            os.write(terminal, b"\x03")
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), shown


def test_work_that_keeps_something_says_that_it_stops_and_ends_by_itself() -> None:
    status, shown = on_terminal(CODE.format(begun=True, rounds=SHORT), "begun")
    assert status == 0
    assert shown.index(STOPPING) < shown.index("finished True")


@pytest.mark.parametrize(("begun", "presses"), [(False, ["begun"]), (True, ["begun", STOPPING])])
def test_what_keeps_nothing_and_a_second_one_do_not_wait(begun: bool, presses: list[str]) -> None:
    status, shown = on_terminal(CODE.format(begun=begun, rounds=LONG), *presses)
    assert status == 130
    assert STOPPING in shown
    assert shown.endswith("cnnviz: interrupted\r\n")
    assert "Traceback" not in shown
