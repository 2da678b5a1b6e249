"""Text that people wrote: made fit to show, and read as it looks."""

import re
import unicodedata
from contextlib import suppress
from os.path import commonprefix

from keyhole.messages import Listing, Remark, listed, problem, word

# How Unicode's names begin of letters of scripts without blanks between words, and of their signs.
UNSPACED = (
    *("CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA", "BOPOMOFO", "FULLWIDTH"),
    *("THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"),
)
CJK_SIGNS = range(0x3000, 0x3040)  # quotes and brackets, whose names do not tell
# Nobody sees these, and no spelling needs them: soft hyphen, direction marks, zero-width blanks.
INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
JOINERS = "\u200c\u200d"  # are not seen either, but Persian, Indic scripts and emoji need them
# A letter or sign -> another one that looks like it.
LOOKS = str.maketrans(
    "‘’‚′ʼ“”„″‐‑‒–—―−" + "АВЕЅІЈКМНОРСТХаеорсухіјѕ" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο",
    "'''''" + '""""' + "-------" + "ABESIJKMHOPCTXaeopcyxijs" + "ABEZHIKMNOPTYXo",
)
LONG = 1000  # letters; to normalise takes time with the square of the accents on one letter


def one_line(text: object, limit: int = 300) -> str:
    """`text` on one line of at most `limit` characters.

    Characters that cannot be printed (control, direction marks, surrogates) become spaces.
    """
    head = str(text)[: 4 * limit]
    with suppress(UnicodeError):  # in an ASCII locale, file names come as half characters
        head = head.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    line = " ".join("".join(c if c.isprintable() else " " for c in head).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def short_numbers(*numbers: float, digits: int = 4) -> list[str]:
    """`numbers` in so many digits that count; in full, as 270,336, if all are whole, below 1e9."""
    whole = all(each.is_integer() and abs(each) < 1e9 for each in numbers)
    form = ",.0f" if whole else f".{digits}g"
    return [f"{each:{form}}".replace("-", "−") for each in numbers]


def ordinary(text: str) -> str:
    """`text` as a keyboard would give it: a letter with its accent is one, and blanks are spaces.

    Letters are composed (NFC), no-break and other blanks become spaces, and what nobody sees goes.
    Line ends, tabs and joiners stay. So does a piece without spaces of more than LONG letters.
    """
    if text.isascii():
        return text
    pieces = (
        piece if len(piece) > LONG else unicodedata.normalize("NFC", INVISIBLE.sub("", piece))
        for piece in text.split(" ")
    )
    return "".join(" " if _is_blank(letter) else letter for letter in " ".join(pieces))


def _is_blank(letter):
    return unicodedata.category(letter) == "Zs"


# ---------------------------------------------------------------- words and their blanks


def glued(before: str, after: str) -> bool:
    """Whether `after`, set right behind `before`, goes on with the same word."""
    return all(_of_spaced_word(letter) for letter in (before[-1:], after[:1]))


def takes_no_blank(text: str) -> bool:
    """Whether `text` begins in a script that puts no blank before a word, as Chinese."""
    return unicodedata.name(text[:1] or " ", "").startswith(UNSPACED) or (
        ord(text[:1] or " ") in CJK_SIGNS
    )


def as_target(text: str) -> str:
    """`text` as it goes on after a prompt: with one blank before it, where its script has blanks.

    Tokenizers see a word with the blank before it.
    """
    bare = text.strip()
    return bare if takes_no_blank(bare) else " " + bare


def _of_spaced_word(letter):
    """Whether a letter ("" is none) belongs to a word, in a script with blanks between words."""
    return (
        bool(letter)
        and unicodedata.category(letter) in {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd"}
        and not takes_no_blank(letter)
    )


def places(text: str, part: str) -> list[int]:
    """The numbers of the letters of `text` where `part` begins; blanks around it do not count.

    Whole words are preferred: where there is one, occurrences inside longer words are left out.
    """
    part = part.strip()
    starts = [
        i
        for i in range(len(text))
        if part and text.startswith(part, i) and not _cuts_a_letter(text, i + len(part))
    ]
    whole = [
        start
        for start in starts
        if not any(glued(text[at - 1 : at], text[at : at + 1]) for at in (start, start + len(part)))
    ]
    return whole or starts


def _cuts_a_letter(text, at):
    """Whether the letters before and at `at` are one, written as letter and accent."""
    pair = text[at - 1 : at + 1]
    return len(pair) == 2 and len(unicodedata.normalize("NFC", pair)) == 1


# ---------------------------------------------------------------- what looks the same


def looks_like(text: str) -> str:
    """`text` with a plain letter in the place of each that looks like it, and nothing unseen."""
    return unicodedata.normalize("NFC", "".join(_looks(text)))


def why_absent(part: str, text: str) -> list[Remark]:
    """What to say besides of a `part` that `text` lacks: a remark if it looks as if it were there.

    It names the first letters that differ.
    """
    part = part.strip()
    there = _alike(part, text)
    if not there:
        return []
    one, other = difference(part, there)
    return [problem("looks_alike", one=one, other=other)]


def difference(one: str, other: str) -> tuple[Remark | Listing, Remark | Listing]:
    """Of two texts that look alike, the first letters that differ, by name and number."""
    at = len(commonprefix([one, other]))
    here, there = _with_accents(one, at), _with_accents(other, at)
    if _is_extra(here, there):
        there = ""
    elif _is_extra(there, here):
        here = ""
    return _named(here), _named(there)


def _looks(text):
    """What each letter of a text looks like, as a list of texts; "" for what is not seen."""
    looks, last = [], ""
    for letter in text:
        if letter in JOINERS or INVISIBLE.match(letter):
            look = ""
        elif letter.isspace():
            look = "" if last == " " else " "
        else:
            look = unicodedata.normalize("NFKD", letter.translate(LOOKS)).translate(LOOKS)
        looks.append(look)
        last = look or last
    return looks


def _alike(part, text):
    """The first piece of `text` that looks like `part`; "" where none does."""
    wanted, looks = "".join(_looks(part)), _looks(text)
    origins = [i for i, look in enumerate(looks) for _ in look]
    seen = "".join(looks)
    start = seen.find(wanted) if wanted else -1
    stop = start + len(wanted)
    if start < 0 or unicodedata.combining(seen[stop : stop + 1] or " "):
        return ""
    return text[origins[start] : origins[stop - 1] + 1]


def _with_accents(text, at):
    """The letter of `text` number `at`, with the accents that stand behind it; "" at the end."""
    stop = at + 1
    while stop < len(text) and unicodedata.combining(text[stop]):
        stop += 1
    return text[at:stop]


def _is_extra(one, other):
    """Whether `one` is a letter too many: nobody sees it, or it is a second blank."""
    if not one or not "".join(_looks(one)):
        return bool(one)
    return one.isspace() and bool("".join(_looks(other)).strip())


def _named(letters):
    """Letters by name and number, for a sentence."""
    if not letters:
        return word("no_letter")
    named = [
        word("letter", name=unicodedata.name(letter, "?").lower(), number=f"{ord(letter):04X}")
        for letter in letters[:3]
    ]
    return listed(named, more=len(letters) > 3)
