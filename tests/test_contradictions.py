"""Whether a page or a card contradicts itself: found in its words, as a student reads them."""

import re

import pytest

from autograder.result import Result, TestResult
from autograder.validity.contradictions import contradictions, diagnoses, on_page
from keyhole.checking.checks import CheckReport
from keyhole.checking.diagnosis import together
from keyhole.checking.judging import wrong
from keyhole.messages import LANGUAGES, Remark, misconception, use


@pytest.fixture(params=LANGUAGES)
def spoken(request):
    use(request.param)
    yield LANGUAGES[request.param]
    use("en")


def symptom(code, **details):
    return Remark(code, details, "SYMPTOMS")


REVERSED, LOST = misconception("effect_reversed"), misconception("effect_absolute")
FIRST = symptom("only_wrong", axis="samples", which="the first")
LAST = symptom("only_wrong", axis="samples", which="the last")
CALL = symptom("example", how="", call="trace(…)", got="0.5", right="0.1")


def graded(*remarks):
    """A submission of which each remark is what one test says."""
    tests = [
        TestResult(f"indirect_effect.{i}", "2_locate", 0.0, 1.0, "fail", f"Off by 7 %. {remark}")
        for i, remark in enumerate(remarks)
    ]
    return Result("a", "model_editing", "graded", None, "A", 0.1, tuple(tests))


@pytest.mark.parametrize(
    "remarks, pairs",
    [
        ((REVERSED, LOST), [("effect_reversed", "effect_absolute")]),
        ((REVERSED, REVERSED), []),
        ((FIRST, LAST), [("only_wrong", "only_wrong")]),
        ((FIRST, FIRST), []),
        ((REVERSED, FIRST, CALL), [("effect_reversed", "only_wrong")]),
        ((LOST, CALL), []),
        ((misconception("input_changed", what="noise"), LOST), []),
        ((misconception("nothing_corrupted"), misconception("cells_all_clean")), []),
    ],
)
def test_a_page_tells_one_diagnosis(remarks, pairs, spoken):
    found = contradictions(on_page(graded(*remarks)))
    assert [(one.name, other.name) for one, other in found] == pairs


def test_a_card_is_read_as_a_page_is(spoken):
    verdicts = [wrong(misconception=name) for name in ("effect_reversed", "effect_absolute")]
    cards = [
        CheckReport("indirect_effect", tuple((str(i), each) for i, each in enumerate(shown))).card
        for shown in (verdicts, together(verdicts))
    ]
    assert [len(contradictions("\n".join(card.lines()))) for card in cards] == [1, 0]


def test_a_remark_that_all_is_well_is_no_diagnosis(spoken):
    assert diagnoses(f"{spoken.FEEDBACK['own_new']} {spoken.FEEDBACK['own_read']}") == []


def test_every_diagnosis_is_found_in_its_own_words(spoken):
    """Under its name, or under another one that has the same words."""
    every = spoken.MISCONCEPTIONS | spoken.SYMPTOMS
    for name, words in every.items():
        filled = words.replace("{seen}", "Seven.")
        found = diagnoses(f"Before. {re.sub('{[^}]*}', 'seven', filled)} After.")
        assert found and every[found[0].name] == words, name
