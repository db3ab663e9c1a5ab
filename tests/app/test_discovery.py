"""Commands are found by the modules that are named after them, without importing them."""

import subprocess
import sys

from cnnviz.app.discovery import SECTIONS, entries, first_line, section_entries, section_title


def test_every_section_has_a_title_and_its_commands():
    names = {section: [entry.name for entry in section_entries(section)] for section in SECTIONS}
    assert "occlude" in names["attribution"]
    assert {"classify", "show", "doctor"} <= set(names["app"])
    assert section_title("attribution") == "Explain a prediction"
    assert section_entries("nowhere") == ()


def test_the_summary_read_from_the_source_is_that_of_the_command():
    for name, entry in entries().items():
        command = entry.load()
        assert command.name == name
        assert entry.summary == (command.help or "").splitlines()[0]


def test_the_overview_and_completion_import_no_command():
    code = """
        import os, sys
        from cnnviz.cli import invoke
        invoke(["--help"])
        os.environ |= dict(_CNNVIZ_COMPLETE="bash_complete", COMP_WORDS="cnnviz occ", COMP_CWORD="1")
        invoke([])
        print([name for name in sys.modules if ".commands." in name])
    """
    lines = "\n".join(line.strip() for line in code.splitlines())
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["plain,occlude", "[]"]


def test_first_lines():
    assert first_line('"""One. Two."""\n') == "One. Two."
    assert first_line('x):\n    """Do it.\n\n    More."""\n') == "Do it."
    assert first_line("x = 1") == ""
