"""``python -m cnnviz``, and the command ``cnnviz``."""

import signal


def main() -> None:
    """Run the command line; until it is imported, Ctrl-C ends the process without a traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        from cnnviz import cli

        signal.signal(signal.SIGINT, signal.default_int_handler)
    else:
        from cnnviz import cli
    cli.main()


if __name__ == "__main__":
    main()
