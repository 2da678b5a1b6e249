"""Every language has every sentence, with the same gaps; one is spoken at a time."""

import string
import subprocess
import sys

import pytest

from keyhole import messages
from keyhole.errors import KeyholeError
from keyhole.messages import LANGUAGES, en

TABLES = ("MISCONCEPTIONS", "FEEDBACK", "CHECKS")
OTHERS = [name for name in LANGUAGES if name != "en"]


@pytest.fixture(autouse=True)
def english_again():
    yield
    messages.use("en")


def gaps(sentence):
    return sorted((name, conversion, form) for _, name, form, conversion in string.Formatter().parse(sentence) if name is not None)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("language", OTHERS)
def test_no_language_lacks_a_sentence_or_a_gap(language, table):
    english, other = getattr(en, table), getattr(LANGUAGES[language], table)
    assert list(other) == list(english)
    assert {name: gaps(text) for name, text in other.items()} == {name: gaps(text) for name, text in english.items()}


@pytest.mark.parametrize("table", TABLES)
def test_chinese_is_chinese(table):
    for name, text in getattr(LANGUAGES["zh-TW"], table).items():
        assert text in ("my_fact.json", "my_edit.safetensors", "Linear") or any("一" <= letter <= "鿿" for letter in text), name


def test_a_language_is_spoken_until_another_is():
    messages.use("zh-TW")
    assert messages.language() == "zh-TW" and messages.misconception("only_the_change").startswith("你")
    assert messages.feedback("right", what="The map") == messages.feedback("right", what="這張圖")
    assert messages.percent(12) == "12 倍" and messages.percent(0.31) == "31 %"
    messages.use("en")
    assert "The map" in messages.feedback("right", what="The map")


def test_an_unknown_language_is_refused_in_words():
    with pytest.raises(KeyholeError, match="there are en, zh-TW"):
        messages.use("tlh")


@pytest.mark.parametrize("named, spoken", [("zh-TW", "zh-TW"), ("", "en"), ("tlh", "en")])
def test_the_environment_names_the_language(named, spoken, monkeypatch):
    monkeypatch.setenv("KEYHOLE_LANG", named)
    done = subprocess.run([sys.executable, "-c", "from keyhole import messages; print(messages.language())"], capture_output=True, text=True)
    assert done.stdout.strip() == spoken and ("there are en, zh-TW" in done.stderr) == (named == "tlh")
