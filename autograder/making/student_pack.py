"""Pack what students get into one zip: the notebooks, the library and its data.

No solution, no part of the grader and no hidden fact is in it.
The same tree gives the same bytes, so two packs can be compared by checksum.
"""

import io
import json
import re
import sys
import zipfile
from pathlib import Path

from autograder.hidden import NOTEBOOKS
from autograder.result import function_of
from keyhole.errors import KeyholeError
from keyhole.files import write_atomically
from keyhole.notebooks.definitions import definitions, read_notebook
from keyhole.terminal import print_anything

ROOT = Path(__file__).resolve().parents[2]
TOP = "keyhole-students"  # the folder that unpacking makes
FOLDERS = ("assignments", "data", "keyhole")
FILES = {"LICENSE": "LICENSE", "NOTICE": "NOTICE", "docs/students.md": "README.md"}
# A line of pyproject.toml or environment.yml: for copies, and for the demo. The last of them brings
# 160 MB.
STAFF_ONLY = re.compile(r'\s+(- |")(copydetect|voila|anywidget|psutil|playwright)==')
LEFT_OUT = {
    "sample_class",
    "__pycache__",
    "my_fact.json",
    "my_edit.safetensors",
    # With these two, anybody finds out which facts are held back.
    "fact_candidates.json",
    "FACTS.md",
}


def pack(target: Path, root: Path = ROOT) -> Path:
    """Write the zip to `target`. Raises KeyholeError where students must not get something."""
    contents = {}
    for folder in FOLDERS:
        for path in (root / folder).rglob("*"):
            if path.is_file() and _for_students(path.relative_to(root)):
                contents[path.relative_to(root).as_posix()] = _content(path)
    for source, name in FILES.items():
        contents[name] = (root / source).read_bytes()
    for name, made in (("pyproject.toml", students_project), ("environment.yml", staff_left_out)):
        contents[name] = made((root / name).read_text("utf-8")).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(f"{TOP}/{name}", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # the same on every system
            archive.writestr(entry, contents[name], zipfile.ZIP_DEFLATED)
    write_atomically(target, packed.getvalue())
    return target


def students_project(project: str) -> str:
    """pyproject.toml without the staff's command and packages, and without the tests' settings."""
    project = staff_left_out(project.split("[tool.pytest.ini_options]")[0].rstrip() + "\n")
    for staffs in ('autograder = "autograder.cli:main"\n', ', "autograder*"', ', "lecture*"'):
        if staffs not in project:
            raise KeyholeError(
                f"pyproject.toml no longer holds {staffs.strip()!r}: "
                "teach autograder/making/student_pack.py its new form."
            )
        project = project.replace(staffs, "")
    return project


def staff_left_out(versions: str) -> str:
    """A list of pinned packages without those that only the staff needs."""
    lines = versions.splitlines(keepends=True)
    return "".join(line for line in lines if not STAFF_ONLY.match(line))


def _for_students(path: Path) -> bool:
    return not LEFT_OUT.intersection(path.parts) and not any(
        part.startswith(".") for part in path.parts
    )


def _content(path: Path) -> bytes:
    """The file as students may see it."""
    if path.suffix == ".ipynb":
        _refuse_solved(path)
    content = path.read_bytes()
    if path.name == "facts.json":
        record = json.loads(content)
        shown = _shown(record["facts"])
        content = json.dumps(record | {"facts": shown}, indent=1, ensure_ascii=False).encode()
    return content


def _shown(facts: list[dict]) -> list[dict]:
    """The facts that students may see: those that tell of none that is held back.

    Left out are those held back, those whose reversion probe has such a fact's subject as its
    answer, and of the others the second fact behind the portability probe.
    """
    held = {(fact.get("relation"), fact.get("subject")) for fact in facts if fact.get("hidden")}
    shown = []
    for fact in facts:
        answer = fact.get("reversion", {}).get("target_true", "").strip()
        if not fact.get("hidden") and (fact.get("relation"), answer) not in held:
            probe = dict(fact.get("portability", {}))
            probe.pop("second_fact", None)
            shown.append(fact | ({"portability": probe} if probe else {}))
    return shown


def _refuse_solved(path: Path) -> None:
    """Raises KeyholeError for a notebook that somebody has worked in: it might hold the answers."""
    graded = (
        {function_of(case.id) for cases in NOTEBOOKS[path.stem].cells.values() for case in cases}
        if path.stem in NOTEBOOKS
        else set()
    )
    defined = definitions(read_notebook(path))
    solved = graded & defined.functions - defined.untouched
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        if solved or cell.get("outputs") or "BEGIN SOLUTION" in "".join(cell["source"]):
            raise KeyholeError(
                f"{path} is not as released (it holds outputs or solutions): "
                "run `make assignments` first."
            )


def main(arguments: list[str]) -> int:
    print_anything()
    target = Path(arguments[0] if arguments else "keyhole-students.zip")
    try:
        pack(target)
    except (KeyholeError, OSError) as problem:
        print(f"The students' pack was not made: {problem}", file=sys.stderr)
        return 1
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
