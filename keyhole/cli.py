"""The command `keyhole`: fetch the model, check a notebook, trace and edit a fact. Only here is anything printed.

Modules that need torch are imported by the command that needs them: `keyhole --help` answers at once.
"""

import argparse
import json
import os
import sys
import unicodedata
import warnings
from contextlib import suppress
from functools import partial
from pathlib import Path

from keyhole import messages
from keyhole.errors import KeyholeError
from keyhole.messages import problem, shown

UNUSABLE = 2  # exit status for arguments that nothing can be done with
DEFAULT_MODEL, DEFAULT_LAYER = "smollm2-135m", 5
LOCATE, EDIT = "model_editing/2_locate.ipynb", "model_editing/3_edit.ipynb"
os.environ.setdefault(
    "OMP_WAIT_POLICY", "PASSIVE"
)  # read when torch is imported: threads that wait leave the processor to others


class Unusable(KeyholeError):
    """Arguments that nothing can be done with."""


def parser():
    """The parser of all subcommands; each sets `run`, which takes the arguments and returns an exit status."""
    top = argparse.ArgumentParser(
        prog="keyhole", description="Find and change one fact in a language model."
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(run, words):
        added = commands.add_parser(
            run.__name__, help=words, description=words[0].upper() + words[1:] + "."
        )
        added.set_defaults(run=run)
        return added

    def of_a_model(added, notebook=EDIT):
        added.add_argument(
            "--model",
            metavar="NAME",
            default=DEFAULT_MODEL,
            help="a model's name, or its folder (default %(default)s)",
        )
        added.add_argument(
            "--notebook",
            metavar="FILE",
            type=Path,
            help=f"whose functions are used (default: solutions/ or assignments/{notebook})",
        )

    def in_words(added):
        added.add_argument(
            "--lang",
            choices=tuple(messages.LANGUAGES),
            help=(
                "language of what is said (default: the environment variable KEYHOLE_LANG, else en)"
            ),
        )

    in_words(command(fetch, "bring the default model to this machine, once"))

    added = command(check, "run the public checks on a notebook's functions, in a fresh process")
    added.add_argument("notebook", metavar="NOTEBOOK", type=Path)
    added.add_argument(
        "--seconds",
        type=_positive,
        default=60.0,
        help="most that one function may take (default %(default)g)",
    )
    in_words(added)

    added = command(trace, "draw the causal map of a prompt with the `trace` of a notebook")
    added.add_argument(
        "prompt",
        metavar="PROMPT",
        help='a sentence up to its answer: "The Eiffel Tower is located in the city of"',
    )
    added.add_argument(
        "--subject", metavar="S", required=True, help="what the prompt is about, as it stands there"
    )
    added.add_argument(
        "--occurrence",
        metavar="N",
        type=int,
        help="which one, from 1, where the subject stands there more than once (default: the last)",
    )
    added.add_argument(
        "--kind",
        choices=("state", "mlp", "attention"),
        default="state",
        help="what is restored (default %(default)s)",
    )
    added.add_argument(
        "--window",
        metavar="W",
        type=int,
        default=10,
        help="layers restored at once, of MLP or attention (default %(default)s)",
    )
    added.add_argument(
        "--out", metavar="FILE", type=Path, required=True, help="the picture: .png, .svg or .pdf"
    )
    of_a_model(added, LOCATE)
    in_words(added)

    added = command(
        edit,
        "edit one fact with the functions of a notebook, and show what the model says before and"
        " after",
    )
    added.add_argument(
        "prompt",
        metavar="PROMPT",
        help='a sentence up to its answer: "The Eiffel Tower is located in the city of"',
    )
    added.add_argument(
        "--subject",
        metavar="S",
        required=True,
        help="what the fact is about, as it stands in the prompt",
    )
    added.add_argument("--to", metavar="T", required=True, help="what the model should say")
    added.add_argument(
        "--true", metavar="T", help="what it says now (default: its own first answer)"
    )
    added.add_argument(
        "--layer",
        metavar="L",
        type=int,
        default=DEFAULT_LAYER,
        help="whose memory is edited (default %(default)s)",
    )
    of_a_model(added)
    added.add_argument(
        "--json", metavar="FILE", type=Path, help="write everything that was measured"
    )
    added.add_argument(
        "--plot",
        metavar="FILE.png",
        type=Path,
        help="write a picture of the probes before and after",
    )
    in_words(added)

    added = command(
        moment,
        "compute the second moment C of a layer over the kit's text, and keep it in the cache",
    )
    added.add_argument("--layer", metavar="L", type=int, required=True)
    of_a_model(added)
    in_words(added)

    added = command(facts, "measure which candidate facts the default model knows (for staff)")
    added.add_argument(
        "--measure",
        metavar="CANDIDATES",
        type=Path,
        required=True,
        help="a file like data/fact_candidates.json",
    )
    added.add_argument(
        "--out", metavar="FILE", type=Path, required=True, help="where the file of facts goes"
    )
    return top


def main(arguments=None):
    """Run one command: its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without Ŵ shows ?
    chosen = parser().parse_args(arguments)
    if getattr(chosen, "lang", None):
        messages.use(chosen.lang)
    for library in ("TRANSFORMERS", "HF_HUB"):
        os.environ.setdefault(f"{library}_VERBOSITY", "error")
    try:
        return chosen.run(chosen) or 0
    except KeyholeError as error:
        print(f"keyhole: {error}", file=sys.stderr)
        return UNUSABLE if isinstance(error, Unusable) else 1
    except KeyboardInterrupt:
        return 130


# ---------------------------------------------------------------- commands


def fetch(chosen):
    from keyhole.fetch import fetch

    print(shown("model_is_in", folder=fetch()))


def check(chosen):
    from keyhole.checking.selfcheck import check_beside, check_notebook

    passed = []
    for name, well, line in check_notebook(_there(chosen.notebook), chosen.seconds):
        passed.append(well)
        print(f"{'✓' if well else '✗'} {name:<16} {line}", flush=True)
    beside = check_beside(chosen.notebook)
    if beside:
        name, well, line = beside
        print(f"{'–' if well is None else '✓' if well else '✗'} {name:<16} {line}", flush=True)
    print(
        messages.feedback(
            "passed_all" if all(passed) else "passed_some", right=sum(passed), all=len(passed)
        )
    )
    return 0 if all(passed) and not (beside and beside[1] is False) else 1


def trace(chosen):
    prompt, subject = _prompt_and_subject(chosen)
    _check_picture(chosen.out)
    count = prompt.count(subject)
    if chosen.occurrence is not None and not 1 <= chosen.occurrence <= count:
        raise Unusable(
            problem(
                "no_occurrence",
                subject=subject,
                prompt=prompt,
                count=count,
                occurrence=chosen.occurrence,
            )
        )
    if count > 1 and chosen.occurrence is None:
        print(shown("last_is_meant", subject=subject, count=count))

    from keyhole import tracing
    from keyhole.checking.functions import functions_of
    from keyhole.models import load_model
    from keyhole.plots import heat_map

    function = functions_of(_notebook(chosen, LOCATE), ("trace",))["trace"]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        found = tracing.trace_map(
            load_model(chosen.model),
            prompt,
            subject,
            function,
            kind=chosen.kind,
            window=chosen.window,
            occurrence=-1 if chosen.occurrence is None else chosen.occurrence - 1,
            progress=_bar(shown("tracing"), "token"),
        )
    print(
        f"{prompt!r}:{found.answer} "
        f" {shown('clean_corrupted', clean=f'{found.clean:.3f}', corrupted=f'{found.corrupted:.3f}')}"
        f"  ({chosen.model})"
    )
    for warning in (each for each in warned if each.category is UserWarning):
        print(shown("warning", text=warning.message))
    effects = found.effects
    for row in sorted(effects.max(1).values.topk(min(3, len(effects))).indices.tolist()):
        layer = int(effects[row].argmax())
        strongest = shown("strongest", layer=layer, effect=f"{effects[row, layer]:+.3f}")
        print(
            f"  {found.tokens[row].strip():>16}{'*' if row in range(*found.span) else ' '}"
            f" {strongest}"
        )
    _save(heat_map(found), chosen.out)


def edit(chosen):
    prompt, subject, target = _asked(chosen)
    if chosen.json:
        _check_writable(chosen.json)
    if chosen.plot:
        _check_picture(chosen.plot)
    if prompt.count(subject) > 1:
        print(shown("last_is_edited", subject=subject, count=prompt.count(subject)))

    from keyhole import questions
    from keyhole.checking.functions import functions_of
    from keyhole.editing import Wanted, make_edit
    from keyhole.models import load_model
    from keyhole.moments import load_moment, load_prefixes
    from keyhole.probes import ProbeSet, continuation

    fact = questions.known_fact(prompt, subject)
    true = _spaced(_utf8(chosen.true)) if chosen.true else fact and fact.target_true
    if true and true.strip() == target.strip():
        raise KeyholeError(problem("target_is_true", target=target))
    functions = functions_of(
        _notebook(chosen), ("subject_key", "value_objective", "rank_one_update")
    )
    model = load_model(chosen.model)
    model.block(chosen.layer)
    if model.subject_slice(prompt, subject).stop == 1:
        print(messages.misconception("subject_at_start"))
    answers = questions.first_answers(model, prompt)
    true = true or answers[0][0]
    if continuation(model, prompt, len(model.encode([target])[0])).strip() == target.strip():
        raise KeyholeError(problem("says_target", target=target))
    moment = load_moment(chosen.model, chosen.layer, model)
    probes = (
        questions.probes_of(fact, target, true)
        if fact
        else questions.simple_probes(prompt, subject, target, true)
    )
    probes = ProbeSet(model, probes, chosen.layer)

    def measured():
        return {
            "continuation": continuation(model, prompt, 10),
            "first_answers": questions.first_answers(model, prompt),
            "probes": probes.answers(),
        }

    before = measured()
    print(
        f"{prompt!r}:{true} →{target}  ({chosen.model}, {shown('layer', layer=chosen.layer)})",
        flush=True,
    )
    made = make_edit(
        model,
        chosen.layer,
        Wanted(prompt, subject, target),
        moment,
        functions,
        load_prefixes(),
        _bar("v*", shown("step")),
    )
    with model.edited(chosen.layer, made.change):
        after = measured()

    for line in _before_after(before, after):
        print(line)
    parts = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in made.seconds.items())
    searched = shown("searched", steps=len(made.losses), loss=f"{made.losses[-1]:.3f}")
    print(
        f"\n|Ŵ − W| / |W| = {made.moved:.3f}; {sum(made.seconds.values()):.1f} s ({parts};"
        f" {searched})"
    )
    if chosen.json:
        _write(chosen.json, _as_json(chosen, prompt, subject, target, true, made, before, after))
        print(shown("measured", path=chosen.json))
    if chosen.plot:
        from keyhole.plots import before_after

        _save(
            before_after(
                before["probes"],
                after["probes"],
                f"{subject}:{true} →{target}, layer {chosen.layer}",
            ),
            chosen.plot,
        )


def moment(chosen):
    from keyhole import editing
    from keyhole.checking.functions import functions_of
    from keyhole.models import load_model
    from keyhole.moments import check_room, made_of, moment_file, save_moment
    from keyhole.paths import data_folder

    path = moment_file(chosen.model, chosen.layer)
    if path.is_relative_to(data_folder()):
        print(shown("moment_carried", path=path))
        return
    functions = functions_of(_notebook(chosen), ("second_moment",))
    model = load_model(chosen.model)
    check_room(path, model.weight(chosen.layer).shape[1])
    ids = editing.text_for(model, chosen.model)
    made = editing.mean_moment(
        model,
        chosen.layer,
        ids,
        functions["second_moment"],
        _bar(shown("moment_of", layer=chosen.layer), shown("piece")),
    )
    save_moment(made, path, made_of(model))
    print(shown("moment_over", tokens=f"{ids.numel():,}", path=path))


def facts(chosen):
    try:
        from autograder.making import facts as measure_facts
    except ImportError:
        raise KeyholeError(
            "this copy of the kit cannot measure facts: that is left to the staff's."
        ) from None
    try:
        candidates = json.loads(chosen.measure.read_text(encoding="utf-8"))
    except OSError:
        raise Unusable(f"there is no file {chosen.measure}.") from None
    except ValueError as error:
        raise KeyholeError(f"{chosen.measure} is not JSON ({error}).") from None
    _check_writable(chosen.out)

    from keyhole.models import load_model

    kept, refused = measure_facts.measure(
        load_model(DEFAULT_MODEL), candidates, _bar("measuring", "batch")
    )
    _write(chosen.out, measure_facts.as_json(kept, DEFAULT_MODEL))
    for line in measure_facts.report(kept, refused):
        print(line)


# ---------------------------------------------------------------- arguments


def _asked(chosen):
    """Prompt, subject and target, mended where that is safe, and said; refused before anything is loaded."""
    target = _utf8(chosen.to)
    if not target.strip():
        raise KeyholeError(problem("no_target"))
    prompt, subject = _prompt_and_subject(chosen)
    if not target.startswith(" "):
        print(shown("target_taken", target=_spaced(target)))
    return prompt, subject, _spaced(target)


def _prompt_and_subject(chosen):
    prompt, subject = _utf8(chosen.prompt).rstrip(), chosen.subject.strip()
    if not subject or subject not in prompt:
        raise KeyholeError(problem("no_subject", subject=subject, prompt=prompt))
    if prompt != chosen.prompt:
        print(shown("blank_left_out"))
    return prompt, subject


def _utf8(text):
    """A text, unless some of its bytes are no letters: no tokenizer takes them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unusable(problem("no_utf8", text=text)) from None
    return text


def _spaced(target):
    return " " + target.strip()


def _notebook(chosen, name=EDIT):
    """The notebook whose functions are used: the one named, else the staff's solution, else the student's own."""
    if chosen.notebook:
        return _there(chosen.notebook)
    root = Path(__file__).resolve().parent.parent
    for folder in ("solutions", "assignments"):
        if (root / folder / name).exists():
            return root / folder / name
    raise KeyholeError(problem("no_notebook", name=name))


def _there(path):
    """A path, unless there is nothing."""
    if not os.path.exists(path):  # Path.exists raises where the name is too long
        raise Unusable(problem("no_file", path=path))
    return path


def _check_writable(path):
    """Find out before the work that its result cannot be written."""
    with suppress(OSError):  # a name that is too long
        if (
            not path.is_dir()
            and path.parent.is_dir()
            and os.access(path if path.exists() else path.parent, os.W_OK)
        ):
            return
    raise Unusable(problem("not_writable", path=path))


def _check_picture(path):
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise Unusable(problem("picture_name", path=path))
    _check_writable(path)


def _positive(text):
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError
    return number


# ---------------------------------------------------------------- what is shown


def _bar(words, unit):
    from tqdm import tqdm

    return partial(tqdm, desc=words, unit=unit, leave=False)


def _before_after(before, after):
    """What the model says, then one line a probe."""
    said = [
        ["", shown("before"), shown("after")],
        [shown("says"), repr(before["continuation"]), repr(after["continuation"])],
    ]
    said.append(
        [
            shown("first_answers"),
            *(
                ", ".join(
                    f"{text.strip() or repr(text)} {p:.2f}" for text, p in seen["first_answers"]
                )
                for seen in (before, after)
            ),
        ]
    )
    yield from ["", *_columns(said), ""]
    rows = [
        [
            shown(name)
            for name in (
                "probe",
                "prompt",
                "true_answer",
                "before",
                "after",
                "new_target",
                "before",
                "after",
                "ahead",
            )
        ]
    ]
    for old, new in zip(before["probes"], after["probes"], strict=True):
        true, target = (
            _short(text.strip(), 16) for text in (old.probe.target_true, old.probe.target_new)
        )
        first, then = (true if answer.true > answer.new else target for answer in (old, new))
        rows.append(
            [
                old.kind,
                _short(old.probe.prompt, 48),
                true,
                f"{old.true:.3f}",
                f"{new.true:.3f}",
                target,
                f"{old.new:.3f}",
                f"{new.new:.3f}",
                first if first == then else f"{first} → {then}",
            ]
        )
    yield from _columns(rows)


def _columns(rows):
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths)).rstrip()
        for row in rows
    ]


def _width(text):
    """Columns of a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _short(text, length):
    """A text's beginning, where probes differ, and more of its end, where the question is."""
    return (
        text
        if len(text) <= length
        else text[: length // 3] + "…" + text[length // 3 + 1 - length :]
    )


def _as_json(chosen, prompt, subject, target, true, made, before, after):
    def said(seen):
        return {"continuation": seen["continuation"], "first_answers": seen["first_answers"]}

    probes = [
        {
            "kind": old.kind,
            "prompt": old.probe.prompt,
            "target_true": old.probe.target_true,
            "target_new": old.probe.target_new,
            "before": {"true": old.true, "new": old.new},
            "after": {"true": new.true, "new": new.new},
        }
        for old, new in zip(before["probes"], after["probes"], strict=True)
    ]
    return (
        json.dumps(
            {
                "model": chosen.model,
                "layer": chosen.layer,
                "prompt": prompt,
                "subject": subject,
                "target_true": true,
                "target_new": target,
                "relative_change": made.moved,
                "losses": made.losses,
                "seconds": made.seconds,
                "before": said(before),
                "after": said(after),
                "probes": probes,
            },
            indent=1,
            ensure_ascii=False,
        )
        + "\n"
    )


def _save(picture, path):
    try:
        picture.savefig(path)
    except (OSError, ValueError) as error:
        raise KeyholeError(problem("picture_not_written", path=path, error=error)) from None
    print(shown("picture", path=path))


def _write(path, text):
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise KeyholeError(problem("file_not_written", path=path, error=error.strerror)) from None


if __name__ == "__main__":
    sys.exit(main())
