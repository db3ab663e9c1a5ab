"""``python -m cnnviz``."""

from cnnviz.cli import main

if __name__ == "__main__":
    main()
