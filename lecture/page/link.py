"""The address of a state of the page: what an instructor keeps as a bookmark.

A state is {name: value}, all of them texts; only `edit`, which may be there several times, is a
list. Whoever uses a value checks it, because anybody can write an address.
"""

import json
from urllib.parse import parse_qs, urlencode

NAMES = {
    "lang": "the language",
    "tab": "the open tab",
    "prompt": "what is traced",
    "subject": "... and its subject",
    "kind": "states, MLP or attention",
    "corruption": "noise or zero",
    "samples": "how many samples of noise",
    "window": "how many layers are restored at once",
    "cell": "the chosen cell, token.layer",
    "fact": "the name of a preset of the second tab",
    "text": "the prompt that is edited, where it is no preset",
    "about": "... its subject",
    "target": "the new answer",
    "method": "ROME or fine-tuning",
    "layer": "the edited layer",
    "metric": "C, identity or centred",
    "key": "k* of many prefixes or of the bare prompt",
    "factor": "the size of the change",
    "view": "bars by probability or by generation",
    "ask": "the free prompt",
    "editors": "those that people thought out, or that are learned",
    "measure": "what the third tab shows",
    "edits": "how many edits",
}
REPEATED = "edit"  # an edit that is planted when the page opens
LONGEST, MOST_EDITS = 800, 8  # characters of a value; edits that one address may plant


def write(state: dict[str, str | list[str]]) -> str:
    """The query of an address, with its question mark; empty values are left out."""
    pairs = []
    for name, value in state.items():
        values = value if isinstance(value, list) else [value]
        pairs += [(name, each) for each in values if each != ""]
    return "?" + urlencode(pairs)


def read(query: str) -> dict[str, str | list[str]]:
    """The state in a query; unknown names and values that are too long are left out."""
    found = parse_qs(query.removeprefix("?"), errors="replace")
    short = {
        name: [value for value in values if len(value) <= LONGEST] for name, values in found.items()
    }
    state: dict[str, str | list[str]] = {
        name: values[-1] for name, values in short.items() if name in NAMES and values
    }
    if short.get(REPEATED):
        state[REPEATED] = short[REPEATED][:MOST_EDITS]
    return state


def packed(record: dict) -> str:
    """A small record as one value."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def unpacked(text: str) -> dict:
    """The record of a packed value; empty where it is none."""
    try:
        record = json.loads(text)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
