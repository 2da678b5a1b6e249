"""What the lecture's demo says, in the languages of keyhole/messages."""

from keyhole.messages import Remark
from lecture.messages import en, zh_tw

LANGUAGES = {"en": en, "zh-TW": zh_tw}


def sentence(name: str, /, **details: object) -> Remark:
    """A remark of the demo's."""
    return Remark(name, details, "SENTENCES", LANGUAGES)


def everywhere(table: str, name: str) -> dict[str, str]:
    """A title in every language; the name itself where the tables do not have it."""
    return {spoken: getattr(words, table).get(name, name) for spoken, words in LANGUAGES.items()}
