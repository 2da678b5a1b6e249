"""Wrong solutions that nobody foresaw: a folder of them, what they were told, a person's verdicts.

docs/validity.md describes the folder. Its figures stay apart from the catalogue's.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autograder.grade import Grader
from autograder.result import write_text
from autograder.secret import course_secret
from autograder.validity.run import Graded, chosen, graded
from autograder.validity.solution import Solution
from keyhole.errors import KeyholeError
from keyhole.text import one_line

TOLD = "told.csv"  # beside the solutions
FIELDS = ("file", "function", "wrong", "caught", "named", "told", "contradictions")
JUDGED = ("verdict", "before")
VERDICTS = ("specific", "vague", "false")
HEAD = re.compile(r"#\s*function:\s*(\w+)\s*\n#\s*wrong:\s*(.*\S)\s*\n")
CELL = re.compile(r"^# %%.*\n", re.MULTILINE)
LEAST_CAUGHT, LEAST_SPECIFIC, MOST_FALSE = 0.9, 0.7, 0.02
TITLE = "## Solutions that nobody foresaw"
# docs/validity.md ends with this, and with the figures of the kit's own set.
PAGE = """\
## Solutions that nobody foresaw

The catalogue was written together with the messages, so it cannot show what they say of mistakes
that nobody foresaw. A second set of wrong solutions does: people write it who know the notebooks
and not the catalogue, before anybody looks at the result. No message is tuned to one of them. The
command

    .venv/bin/autograder validity --unseen FOLDER

grades such a folder and prints its figures, apart from those above. `FOLDER` holds one file for
each solution, named as you like, in UTF-8:

    # function: indirect_effect
    # wrong: takes the standard deviation over the samples, not the mean
    def indirect_effect(restored, corrupted):
        return (restored - corrupted).std()

- The file's name ends in `.py`.
- The first line names the graded function (`my_edit` is not possible here).
- The second says in one line what is wrong.
- All other lines are the code, as it would stand in the cell of the blank: imports of its own, help
  functions, constants and the function itself. The cell `import torch` and
  `from keyhole import edit, record` stands before it, as in the notebook. A line `# %%` begins a
  further cell.
- Every other function of the notebook stays a blank, so `trace` must bring its own `corrupt` and
  `restore` if it calls them.

The command writes `told.csv` into the folder, one line for each solution: the file, the function,
what is wrong, whether points were lost (`caught`), which misconception or symptom was named
(`named`), every sentence that the student reads (`told`), and what of that does not go together
(`contradictions`). A person judges each and fills in the column `verdict`:

| verdict | meaning |
|---|---|
| `specific` | at least one sentence is true of this mistake and says where to look; none is false |
| `vague` | nothing false, nothing that tells this mistake from others ("off by 28 %") |
| `false` | some sentence is not true of this solution |

A verdict stays when the folder is graded again, as long as `told` is the same; otherwise it moves
to the column `before`, and `verdict` is empty again.

A folder in such a folder holds a set of its own. It is graded by itself, and its figures stand
apart.
"""
LATER = """\
Written later, in the same way. Nothing was changed for its sake until somebody had judged it who
had written none of the messages: see [results.md](results.md#mistakes-that-nobody-foresaw).
"""


@dataclass(frozen=True)
class Told:
    """A solution, what the student reads of it, and a person's verdict on that."""

    file: str
    function: str
    wrong: str
    caught: str  # "yes" or "no"
    named: str  # misconceptions and symptoms, each once
    told: str
    contradictions: str = ""  # pairs of names that do not go together
    verdict: str = ""  # one of VERDICTS, or empty
    before: str = ""  # the verdict on what was told earlier

    def judged(self, earlier: "Told | None") -> "Told":
        """The same with the verdict of an earlier grading, where the same was told."""
        if not earlier:
            return self
        same = earlier.told == self.told
        verdict, before = (earlier.verdict, earlier.before) if same else ("", earlier.verdict)
        fields = {name: getattr(self, name) for name in FIELDS}
        return Told(**fields, verdict=verdict, before=before or earlier.before)


def solutions(folder: Path) -> list[Solution]:
    """The solutions of a folder, by name. Raises KeyholeError for a file that is none."""
    found = []
    for path in sorted(folder.glob("*.py")):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            raise KeyholeError(f"{path.name} cannot be read: {one_line(error, 120)}") from None
        head = HEAD.match(text)
        if not head:
            raise KeyholeError(
                f"{path.name} does not begin with the lines `# function: NAME` and `# wrong: ...`"
            )
        code = tuple(filter(str.strip, CELL.split(text[head.end() :])))
        found.append(Solution(head[1], path.stem, code, mistake=head[2]))
    if not found:
        raise KeyholeError(f"there are no files *.py in {folder}")
    chosen(found, {solution.function for solution in found})  # each has hidden tests
    return found


def examined(
    folder: Path, secret: Path | None = None, jobs: int = 1, progress: Callable | None = None
) -> list[Told]:
    """Grade a folder, keep the verdicts of earlier gradings, and write told.csv there.

    Raises KeyholeError where the folder does not hold solutions.
    """
    every, earlier = solutions(folder), {row.file: row for row in read(folder)}
    results = graded(every, Grader(secret=course_secret(secret)), jobs)
    if progress:
        results = progress(results, total=len(every), unit=" solutions")
    rows = [told(each).judged(earlier.get(each.solution.name)) for each in results]
    write_text(folder / TOLD, as_csv(rows))
    return rows


def told(each: Graded) -> Told:
    """What the student of a solution reads: each sentence once."""
    lost = [test for test in each.tests.values() if test.verdict != "pass"]
    names = dict.fromkeys(filter(None, (test.misconception or test.symptom for test in lost)))
    return Told(
        each.solution.name,
        each.solution.function,
        each.solution.mistake,
        "yes" if each.caught else "no",
        ", ".join(names),
        " / ".join(dict.fromkeys(one_line(test.message, 1000) for test in lost)),
        ", ".join(f"{one.name} and {other.name}" for one, other in each.contradictions),
    )


def as_csv(rows: list[Told]) -> str:
    """The rows as a table for a spreadsheet."""
    file = io.StringIO()
    writer = csv.DictWriter(file, (*FIELDS, *JUDGED), lineterminator="\n")
    writer.writeheader()
    writer.writerows(vars(row) for row in rows)
    return file.getvalue()


def read(folder: Path) -> list[Told]:
    """What told.csv holds; nothing where there is none. Raises KeyholeError for another table."""
    path = folder / TOLD
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [Told(**row) for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError) as error:
        raise KeyholeError(f"{path.name} cannot be read: {one_line(error, 120)}") from None
    if wrong := sorted({row.verdict for row in rows} - {"", *VERDICTS}):
        raise KeyholeError(
            f"{path.name} holds the verdict {wrong[0]!r}; there are {', '.join(VERDICTS)}"
        )
    return rows


def figures(rows: list[Told]) -> list[tuple[str, str]]:
    """(what, figure) of a set: caught, named, and how people judged what was told."""
    caught = [row for row in rows if row.caught == "yes"]
    verdicts = Counter(row.verdict for row in caught)

    def share(count: int, of: int) -> str:
        return f"{count} of {of} ({count / max(of, 1):.1%})"

    return [
        ("wrong solutions that lose points", share(len(caught), len(rows))),
        (
            "of these, told a misconception or a symptom",
            share(sum(bool(row.named) for row in caught), len(caught)),
        ),
        *(
            (f"of these, judged `{verdict}` by a person", share(verdicts[verdict], len(caught)))
            for verdict in VERDICTS
        ),
        ("of these, not judged yet", str(verdicts[""])),
        (
            "pairs of sentences on one feedback page that contradict each other",
            str(sum(len(row.contradictions.split(", ")) for row in rows if row.contradictions)),
        ),
    ]


def short_of(rows: list[Told]) -> list[str]:
    """Which of the figures asked for are not reached; verdicts count once all are given."""
    caught = [row for row in rows if row.caught == "yes"]
    short = []
    if len(caught) < LEAST_CAUGHT * len(rows):
        short.append("caught")
    if caught and all(row.verdict for row in caught):
        verdicts = Counter(row.verdict for row in caught)
        if verdicts["specific"] < LEAST_SPECIFIC * len(caught):
            short.append("specific")
        if verdicts["false"] > MOST_FALSE * len(caught):
            short.append("false")
    if any(row.contradictions for row in rows):
        short.append("contradictions")
    return short


def as_text(rows: list[Told]) -> str:
    """For the terminal: each solution with what was told, then the figures."""
    lines = []
    for row in rows:
        mark = "caught" if row.caught == "yes" else "NOT CAUGHT"
        lines += [f"{row.function}: {row.file} ({mark}) {row.named or '-'}", f"  is {row.wrong}"]
        lines += [f"  > {sentence}" for sentence in row.told.split(" / ")]
    return "\n".join([*lines, "", *(f"{what}: {figure}" for what, figure in figures(rows))])


def put_into(page: str, folder: Path) -> str:
    """docs/validity.md with what a set is, and the last grading of the one in `folder`.

    Sets in folders of that folder follow, each apart.
    """
    if (folder.parent / TOLD).is_file():
        folder = folder.parent
    rows, before = read(folder), page.partition(TITLE)[0].rstrip()
    lines = as_markdown(rows) if rows else ["No set was graded yet."]
    for later in sorted(each.parent for each in folder.glob(f"*/{TOLD}")):
        title = f"### A later set: {folder.name}/{later.name}"
        lines += ["", title, "", LATER, *as_markdown(read(later))]
    return "\n".join([before, "", PAGE, *lines, ""]).lstrip()


def as_markdown(rows: list[Told]) -> list[str]:
    """The figures of a set, and what was told to each solution, as tables."""

    def cell(text: str) -> str:
        return text.replace("|", "\\|").replace("*", "\\*")

    return [
        "| | |",
        "|---|---|",
        *(f"| {what} | {figure} |" for what, figure in figures(rows)),
        "",
        "| function | what is wrong | caught | what was told | verdict |",
        "|---|---|---|---|---|",
        *(
            f"| {row.function} | {cell(row.wrong)} | {row.caught} | {cell(row.told)}"
            f" | {row.verdict or '–'} |"
            for row in rows
        ),
    ]
