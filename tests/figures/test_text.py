"""Text of figures: glyphs for Europe's Latin letters, shortening, line breaks."""

import pytest
from matplotlib import font_manager

from cnnviz.figures.style import NOTE
from cnnviz.figures.text import ELLIPSIS, font, is_printable, printable, shorten, width, wrap

LATIN = [chr(code) for code in (*range(0x20, 0x7F), *range(0xA0, 0x180))]
SIGNS = list("×−–Δµ→≤≥“”’…")


@pytest.mark.parametrize("bold", [False, True], ids=["regular", "semibold"])
def test_both_weights_have_the_glyphs_of_latin_text(bold: bool) -> None:
    path = font_manager.findfont(font(bold), fallback_to_default=False)
    assert ("SemiBold" in path) == bold
    face = font_manager.get_font(path).get_charmap()
    missing = [sign for sign in (*LATIN, *SIGNS) for shown in printable(sign) if ord(shown) not in face]
    assert not missing


def test_latin_text_is_left_as_it_is() -> None:
    text = "Käfer, Größe 48 × 16 px, Δ −0.14 µm → č ł ő ş"
    assert printable(text) == text
    assert is_printable(text)
    assert printable("a\t b\n\u00a0c") == "a b c"
    assert printable("soft\u00adhyphen") == "softhyphen"


@pytest.mark.parametrize("text", ["猫の写真", "חתול", "قطة", "😀"], ids=["CJK", "Hebrew", "Arabic", "emoji"])
def test_characters_without_a_glyph_become_an_ellipsis(text: str) -> None:
    assert not is_printable(text)
    assert printable(text) == ELLIPSIS
    assert printable(f"cat {text} dog") == f"cat {ELLIPSIS} dog"


@pytest.mark.parametrize("bold", [False, True])
def test_long_names_are_shortened_to_their_room(bold: bool) -> None:
    name = ("sulphur-crested cockatoo, Kakatoe galerita, " * 3)[:120]
    assert len(name) == 120
    short = shorten(name, 2.0, NOTE, bold)
    assert short.endswith(ELLIPSIS)
    assert name.startswith(short[:-1])
    assert 1.8 < width(short, NOTE, bold) <= 2.0
    assert shorten("cat", 2.0, NOTE, bold) == "cat"


def test_paragraphs_are_broken_into_lines_and_cut_after_the_last() -> None:
    words = "one two three four five six seven eight nine ten"
    lines = wrap(words, 1.0, NOTE)
    assert " ".join(lines) == words
    assert all(width(line, NOTE) <= 1.0 for line in lines)
    assert wrap(words, 1.0, NOTE, 2) == [lines[0], shorten(" ".join(lines[1:]), 1.0, NOTE)]
    assert wrap("x" * 200, 1.0, NOTE)[0].endswith(ELLIPSIS)


def test_a_number_stays_with_its_percent_sign() -> None:
    assert not any(
        line.startswith("%") for room in (0.3, 0.5, 0.7, 0.9) for line in wrap("it is 95 % of 62 %", room, NOTE)
    )


def test_the_packaged_font_is_used_whatever_is_installed(monkeypatch) -> None:
    other = font_manager.FontEntry(fname=font_manager.findfont("DejaVu Sans"), name="Inter", weight=400)
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [other, *font_manager.fontManager.ttflist])
    for bold, name in ((False, "Inter-Regular.ttf"), (True, "Inter-SemiBold.ttf")):
        assert font_manager.findfont(font(bold)).endswith(name)
