"""Settings take the options of their names; a note says where a run was stopped."""

from dataclasses import dataclass

from cnnviz.synthesis.commands.ascent_options import settings_of, stopped_note


@dataclass
class Settings:
    steps: int = 1
    jitter: int = 2
    other: float = 3.0


@dataclass
class Options:
    steps: int = 10
    jitter: int = 20
    output: str = "a.png"


def test_settings_are_the_options_of_the_same_names():
    assert settings_of(Settings, Options()) == Settings(10, 20, 3.0)
    assert settings_of(Settings, Options(), jitter=5) == Settings(10, 5, 3.0)


def test_a_stopped_run_has_a_note():
    assert stopped_note(4, 4) == ()
    assert stopped_note(3, 4) == ("stopped after 3 of 4 steps; the image shows the state at that step",)
