"""Ctrl-C at a terminal is answered at once, by a thread: the main one may be inside a long call into a library.

Python runs the handler of a signal between two of its own instructions; the signal's number is in a pipe before that.
"""

import os
import signal
import threading

from cnnviz.app.console import Console
from cnnviz.app.resume import keeps_work
from cnnviz.app.status_line import LINE
from cnnviz.errors import Status

SOON = 0.2  # seconds: what ends sooner does not say that it is stopping
PATIENCE = 1.2  # seconds after which work that keeps nothing is ended from here
LEAVING = threading.Event()  # set when the main thread is about to leave


def watch(console: Console) -> None:
    """Answer Ctrl-C from now on, if there is a terminal. To be called on the main thread."""
    if not console.lively or signal.getsignal(signal.SIGINT) is signal.SIG_IGN or _watched():
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_answer, args=(reader, console), daemon=True).start()


def _watched() -> bool:
    number = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(number)
    return number != -1


def _answer(reader: int, console: Console) -> None:
    """Say that the work is being stopped; end the process where nothing is kept, and after a second Ctrl-C."""
    count = 0
    while number := os.read(reader, 1):
        if number[0] != signal.SIGINT:
            continue
        count += 1
        keeps = count == 1 and keeps_work(signal.getsignal(signal.SIGINT))
        if count == 1 and not LEAVING.wait(SOON):
            LINE.stop()
        if not keeps and not LEAVING.wait(PATIENCE):
            console.error("interrupted")
            os._exit(Status.INTERRUPTED)
