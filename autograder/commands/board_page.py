"""The board as one page: a picture of S against the size of the change, and a table."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from autograder import messages
from autograder.result import Bonus
from keyhole.checking.challenge import BASELINES, PERPLEXITY_RISE
from keyhole.messages import language

WIDTH, HEIGHT = 860, 420
LEFT, RIGHT, TOP, BOTTOM = 48, 150, 16, 52  # margins of the picture, for its axes and names
APART = 22  # units between the names of two baselines
SHARES = ("original", "paraphrase", "neighborhood")


@dataclass(frozen=True, eq=False)
class Row:
    """A line of the board: a student's, or a baseline's."""

    name: str
    measured: Mapping[str, float | None]
    bonus: Bonus | None = None  # a student's

    @property
    def score(self) -> float:
        """S in percent."""
        return 100 * self.measured["S"]

    @property
    def size(self) -> float:
        """Of the change; what is too large for a number counts as the largest that is shown."""
        size = self.measured["size"]
        return float("inf") if size is None else size

    @property
    def keeps_text(self) -> bool:
        """Whether perplexity stays within its limit."""
        after, before = self.measured["perplexity"], self.measured["perplexity_before"]
        return after is not None and after <= PERPLEXITY_RISE * before


def page_of(entries: Sequence[Bonus], baselines: Mapping[str, Mapping[str, float]]) -> str:
    """The page, in the language spoken. `baselines`: what each of them scores, by name."""
    measured = [each for each in entries if each.measured]
    rows = [Row(each.pseudonym, each.measured, each) for each in measured]
    rows += [Row(name, baselines[name]) for name in BASELINES]
    rows.sort(key=lambda row: (not row.keeps_text, -row.score, row.size, row.name))
    notes = []
    if not measured:
        notes.append(said("board_empty"))
    if not all(row.keeps_text for row in rows):
        notes.append(said("board_hollow", percent=round(100 * (PERPLEXITY_RISE - 1))))
    if unusable := len(entries) - len(measured):
        notes.append(said("board_unusable", count=unusable))
    style = files("autograder.commands").joinpath("board.css").read_text("utf-8")
    title = said("board_title")
    return "\n".join(
        [
            f'<!doctype html>\n<html lang="{language()}">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>",
            f"<h1>{title}</h1>\n<p>{said('board_about')}</p>",
            f"<figure>\n{picture(rows)}\n</figure>",
            *(f"<p>{note}</p>" for note in notes),
            f'<div class="wide">\n{table(rows)}\n</div>\n</main>\n</body>\n</html>\n',
        ]
    )


def said(name: str, **details: object) -> str:
    """A sentence of the page, with nothing in it that is taken for markup."""
    return escape(str(messages.sentence(name, **details)))


# ---------------------------------------------------------------- the picture


def picture(rows: Sequence[Row]) -> str:
    """S of every row over the size of its change, as SVG; each baseline is a line across."""
    most = max([0.5, *(row.size for row in rows if row.size < 5)]) * 1.08
    name = said("board_picture")
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">',
        *_axes(most),
        *_lines([row for row in rows if not row.bonus], most),
    ]
    places = dict(numbered(rows))
    for row in rows:
        if row.bonus:
            parts.append(_mark(row, places[row], most))
    return "\n".join([*parts, "</svg>"])


def numbered(rows: Iterable[Row]) -> Iterator[tuple[Row, str]]:
    """The students' places; there is none where perplexity rose too much."""
    place = 0
    for row in rows:
        if row.bonus:
            place += row.keeps_text
            yield row, str(place) if row.keeps_text else "–"


def _x(size, most):
    return LEFT + min(size / most, 1) * (WIDTH - LEFT - RIGHT)


def _y(score):
    return TOP + (1 - score / 100) * (HEIGHT - TOP - BOTTOM)


def _axes(most):
    """The grid, with its numbers and what they are."""
    for score in range(0, 101, 20):
        y = _y(score)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text class="end" x="{LEFT - 8}" y="{y + 4:.1f}">{score}</text>'
    step = next(each for each in (0.1, 0.2, 0.5, 1.0) if most / each < 9)
    for number in range(int(most / step) + 1):
        x = _x(number * step, most)
        y, shown = HEIGHT - BOTTOM + 22, f"{number * step:g}"
        yield f'<text class="middle" x="{x:.1f}" y="{y}">{shown}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    label = f"{said('board_size')} |Ŵ − W| / |W|"
    yield f'<text class="middle" x="{middle}" y="{HEIGHT - 6}">{label}</text>'
    yield f'<text class="strong" x="{LEFT + 8}" y="{TOP + 14}">S</text>'


def _lines(baselines, most):
    """Each baseline as a line at its S, with its name behind it and a mark at its size."""
    names = _spread([_y(row.score) for row in baselines])
    for row, at in zip(baselines, names):
        y, x, end = _y(row.score), _x(row.size, most), WIDTH - RIGHT
        yield f'<path class="baseline" d="M{LEFT} {y:.1f}H{end}L{end + 8} {at:.1f}"/>'
        yield f'<path class="diamond" d="M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z"/>'
        name = f"{row.name} {row.score:.1f}"
        yield f'<text class="name" x="{end + 12}" y="{at + 4:.1f}">{name}</text>'


def _spread(heights):
    """Ascending heights, moved down where one would stand on the one above it, all inside."""
    placed = []
    for height in heights:
        placed.append(max(height, placed[-1] + APART) if placed else height)
    over = max(0, placed[-1] - (HEIGHT - BOTTOM)) if placed else 0
    return [height - over for height in placed]


def _mark(row, place, most):
    kind = "" if row.keeps_text else " hollow"
    x, y = _x(row.size, most), _y(row.score)
    title = escape(f"{row.name}: S {row.score:.1f}")
    number = "" if place == "–" else f'<text x="{x + 10:.1f}" y="{y - 7:.1f}">{place}</text>'
    circle = f'<circle class="student{kind}" cx="{x:.1f}" cy="{y:.1f}" r="6"/>'
    return f"<g><title>{title}</title>{circle}{number}</g>"


# ---------------------------------------------------------------- the table


def table(rows: Sequence[Row]) -> str:
    """A line for each student and each baseline, the best first."""
    shares = ("efficacy", "paraphrase", "neighborhood")  # the measures' own names
    head = [
        said("board_place"),
        said("board_who"),
        "S",
        *shares,
        *(said(f"board_{name}") for name in ("size", "perplexity", "points")),
    ]
    lines = [
        "<table>",
        "<thead><tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr></thead>",
    ]
    places = dict(numbered(rows))
    lines += ["<tbody>", *(_line(row, places.get(row, "")) for row in rows), "</tbody>", "</table>"]
    return "\n".join(lines)


def _line(row, place):
    measured = row.measured
    after = measured["perplexity"]
    cells = [
        place,
        escape(row.name) if row.bonus else said(f"baseline_{row.name}"),
        f"{row.score:.1f}",
        *(f"{100 * measured[kind]:.1f}" for kind in SHARES),
        "∞" if row.size == float("inf") else f"{row.size:.2f}",
        f"{measured['perplexity_before']:.1f} → {'∞' if after is None else f'{after:.1f}'}",
        f"{row.bonus.points:g}" if row.bonus else said("board_baseline"),
    ]
    kind = "student" if row.bonus else "baseline"
    return f'<tr class="{kind}">' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
