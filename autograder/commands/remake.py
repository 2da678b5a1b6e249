"""`autograder remake`: make anew a piece of the data that the kit carries."""

from argparse import Namespace

from autograder.commands.arguments import Subparsers

PIECES = (
    "prefixes",
    "text",
    "moment",
    "facts",
    "references",
    "maps",
    "edits",
    "further-moments",
    "fresh-text",
    "curves",
    "challenge",
    "baselines",
    "requests",
    "editors",
    "checks",
    "sample-edits",
    "sample-class",
    "pictures",
    "lecture-moments",
    "lecture-curves",
)


def add(commands: Subparsers) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "remake",
        help="make a piece of the kit's own data again",
        description=(
            "Make a piece of the kit's own data again, from the model and stored seeds."
            " docs/data.md says what each piece is, and in which order to make them."
        ),
    )
    parser.add_argument("what", choices=PIECES)
    parser.set_defaults(run=remake)


def remake(chosen: Namespace) -> int:
    """Make one piece of data."""
    from tqdm import tqdm

    from autograder.making import (
        baselines,
        challenge,
        checks,
        curves,
        editors,
        facts,
        many,
        model_data,
        pictures,
        sample_class,
        sample_edits,
    )
    from autograder.oracle import references
    from keyhole.models import load_model
    from lecture import making

    makers = {
        "prefixes": lambda: model_data.prefixes(load_model(), tqdm),
        "text": lambda: model_data.text(load_model(), tqdm),
        "moment": lambda: model_data.moment(load_model(), tqdm),
        "facts": lambda: facts.make(load_model(), tqdm, print),
        "references": lambda: references.make(load_model(), tqdm),
        "maps": lambda: model_data.maps(load_model(), tqdm),
        "edits": lambda: many.edits(load_model(), tqdm),
        "further-moments": lambda: many.moments(load_model(), tqdm),
        "fresh-text": lambda: many.fresh_text(load_model()),
        "curves": lambda: curves.make(load_model(), tqdm),
        "challenge": lambda: challenge.make(load_model(), tqdm),
        "baselines": lambda: baselines.make(load_model(), tqdm),
        "requests": editors.make_requests,
        "editors": lambda: editors.make(load_model(), tqdm),
        "checks": checks.make,
        "sample-edits": lambda: sample_edits.make(load_model(), tqdm),
        "sample-class": sample_class.make,
        "pictures": lambda: pictures.make(load_model()),
        "lecture-moments": lambda: making.moments(load_model(), tqdm),
        "lecture-curves": lambda: making.curves(load_model(), tqdm),
    }
    print(f"Made {makers[chosen.what]()}")
    return 0
