"""Text that looks the same is read as the same, or the difference is told."""

import unicodedata

import pytest
import torch

from autograder.oracle import editing
from keyhole import messages
from keyhole.checking.own_fact import plain
from keyhole.errors import KeyholeError
from keyhole.hooks import record
from keyhole.text import as_target, glued, ordinary, places, why_absent

NO_BREAK, ZERO_WIDTH, JOINER = "\u00a0", "\u200b", "\u200d"


def decomposed(text):
    return unicodedata.normalize("NFD", text)


@pytest.mark.parametrize(
    "typed, meant",
    [
        (decomposed("Évian lies in 서울"), "Évian lies in 서울"),
        (f"Eiffel{NO_BREAK}Tower\u202f!\u3000", "Eiffel Tower ! "),
        (f"Eif{ZERO_WIDTH}fel\u00ad To\u2060wer\ufeff\u200e", "Eiffel Tower"),
        (f"e{ZERO_WIDTH}\u0301", "é"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # Persian spells with joiners
        ("one\n\ttwo  three", "one\n\ttwo  three"),
        ("羅馬，“Рим”", "羅馬，“Рим”"),
        ("\udcff", "\udcff"),
    ],
)
def test_text_is_read_as_a_keyboard_would_give_it(typed, meant):
    assert ordinary(typed) == meant


def test_a_million_accents_on_one_letter_are_left_alone():
    hostile = "a" + "\u0301\u0323" * 500_000  # hours, if they were put in order
    assert ordinary(hostile) == hostile


@pytest.mark.parametrize(
    "text, part, found",
    [
        ("Iran, where Iranians live,", "Iran", [0]),
        ("Iranians of Iran and Iran", "Iran", [12, 21]),
        ("Iranians live in", "Iran", [0]),  # there is no other
        ("Where Area 5 is in Area 51", "Area 5", [6]),
        ("Рим, где римляне и Римини", "Рим", [0]),
        ("台北人住在台北市", "台北", [0, 5]),  # no blanks show where a Chinese word ends
        ("서울은 크다. 서울 is", "서울", [8]),
        ("The Eiffel Tower is", " Eiffel Tower ", [4]),
        (decomposed("Cafe, Café"), "Cafe", [0]),
        ("Rome", "  ", []),
    ],
)
def test_whole_words_are_preferred_and_blanks_around_do_not_count(text, part, found):
    assert places(text, part) == found


@pytest.mark.parametrize(
    "text, target",
    [
        ("Rome", " Rome"),
        ("  Évian ", " Évian"),
        ("Рим", " Рим"),
        (" 로마", " 로마"),
        ("羅馬", "羅馬"),
        (" 羅馬", "羅馬"),
        ("ローマ", "ローマ"),
        ("ひらがな", "ひらがな"),
        ("โรม", "โรม"),
        ("ໂຣມ", "ໂຣມ"),
        ("រ៉ូម", "រ៉ូម"),
        ("ရောမ", "ရောမ"),
        ("རོམ", "རོམ"),
        ("「羅馬」", "「羅馬」"),
    ],
)
def test_a_target_has_the_blank_of_its_script(text, target):
    assert as_target(text) == target
    assert glued("in", text.strip()) == target.startswith(" ")
    assert not glued("in", target)


@pytest.mark.parametrize(
    "part, text, one, other",
    [
        (f"Eiffel{NO_BREAK}Tower", "The Eiffel Tower is", "no-break space” (U+00A0)", "U+0020"),
        ("Eiffel Tower", f"The Eiffel{NO_BREAK}Tower is", "“space” (U+0020)", "U+00A0"),
        (f"Eif{ZERO_WIDTH}fel", "The Eiffel Tower", "zero width space” (U+200B)", "nothing"),
        ("Eiffel Tower", f"Eiffel{ZERO_WIDTH} Tower", "nothing", "zero width space” (U+200B)"),
        (f"Bo{JOINER}b", "So Bob", "zero width joiner” (U+200D)", "nothing"),
        ("Évian", decomposed("In Évian"), "(U+00C9)", "“combining acute accent” (U+0301)"),
        (decomposed("Évian"), "In Évian", "“combining acute accent” (U+0301)", "(U+00C9)"),
        ("Аnna", "So Anna", "cyrillic capital letter a” (U+0410)", "(U+0041)"),
        ("Schindler's List", "In Schindler’s List", "apostrophe” (U+0027)", "(U+2019)"),
        ("Eiffel  Tower", "The Eiffel Tower", "“space” (U+0020)", "nothing"),
    ],
)
def test_what_differs_is_named(toy, part, text, one, other):
    with pytest.raises(KeyholeError, match="does not occur in prompt") as raised:
        toy.subject_slice(text, part)
    _, _, differs = str(raised.value).partition("It looks as if it did, but the subject holds ")
    here, _, there = differs.partition(" where the prompt holds ")
    assert one in here and other in there


def test_what_differs_is_named_in_chinese_too():
    messages.use("zh-TW")
    try:
        [said] = why_absent(f"Eiffel{NO_BREAK}Tower", "The Eiffel Tower is")
        assert "主詞是「no-break space」（U+00A0），prompt 是「space」（U+0020）" in str(said)
    finally:
        messages.use("en")


@pytest.mark.parametrize("part, text", [("Paris", "The Seine"), ("Cafe", "Café"), ("", "Café")])
def test_nothing_more_is_said_of_what_looks_different(part, text):
    assert why_absent(part, text) == []


def test_a_million_letters_that_look_alike_are_compared_at_once():
    assert why_absent("A" * 500_000 + "\u0410", "A" * 1_000_000)


@pytest.mark.parametrize(
    "prompt, subject, covered",
    [
        ("Iran, where Iranians live,", "Iran", b"Iran"),
        ("The Eiffel Tower is", "Eiffel Tower ", b"Eiffel Tower"),
        ("The Eiffel Tower is", " Eiffel Tower", b"Eiffel Tower"),
    ],
)
def test_the_subject_s_tokens_are_those_of_the_whole_word(toy, prompt, subject, covered):
    span = toy.subject_slice(prompt, subject)
    assert toy.tokenizer.decode(toy.encode([prompt])[0][span]).encode() == covered
    assert span.start == prompt.index(covered.decode())


def test_the_oracle_takes_the_key_of_the_whole_word_too(toy):
    prompt, prefixes = "In Iran, where Iranians live,", ["", "So. "]
    keys = []
    for text in (prefix + prompt for prefix in prefixes):
        with record(toy.memory(1), stop=True) as seen:
            toy.next_token_probabilities([text])
        keys.append(seen.input[0, text.index("Iran,") + len("Iran") - 1])  # a token is a byte
    right = torch.stack(keys).mean(0).double()
    torch.testing.assert_close(editing.subject_key(toy, 1, prompt, "Iran", prefixes), right)


@pytest.mark.parametrize("other", ["Eif\u200bfel Tower", "Еiffel Tоwer", "the Ｅiffel Tower"])
def test_a_name_of_the_handout_is_known_in_other_letters(other):
    assert plain(other) == plain("Eiffel Tower")
