"""Pack what students get: a zip of notebooks, library and data, and a wheel for Google Colab.

No solution, no part of the grader and no hidden fact is in either.
The same tree of the same commit gives the same bytes, so two packs can be compared by checksum.
"""

import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from autograder.hidden import NOTEBOOKS
from autograder.result import function_of
from keyhole.errors import KeyholeError
from keyhole.facts import HELD_BACK
from keyhole.files import write_atomically
from keyhole.notebooks.definitions import definitions, read_notebook
from keyhole.terminal import print_anything

ROOT = Path(__file__).resolve().parents[2]
UNDATED = 1793491200  # seconds since 1970: November 2026, for a tree that is no git checkout
TOP = "keyhole-students"  # the folder that unpacking makes
FOLDERS = ("assignments", "data", "keyhole")
FILES = {
    "LICENSE": "LICENSE",
    "NOTICE": "NOTICE",
    ".devcontainer/devcontainer.json": ".devcontainer/devcontainer.json",
    ".binder/environment.yml": ".binder/environment.yml",
    ".binder/postBuild": ".binder/postBuild",
}
READMES = {"en": "docs/students.md", "zh-TW": "docs/students.zh-TW.md"}
# In pyproject.toml, environment.yml and constraints.txt.
STAFFS_EXTRAS = ("grade", "cluster", "demo", "test")
PACKED_DATA = '[tool.setuptools.package-data]\n"*" = ["*.json", "*.safetensors"]\n'  # in the wheel
LEFT_OUT = {
    "sample_class",
    "__pycache__",
    "my_fact.json",
    "my_edit.safetensors",
    "my_edits.safetensors",
    # With these two, anybody finds out which facts are held back.
    "fact_candidates.json",
    "FACTS.md",
}


def pack(target: Path, root: Path = ROOT, language: str = "en") -> Path:
    """Write the zip to `target`, with the notebooks in one language.

    Raises KeyholeError where students must not get something.
    """
    contents = contents_for_students(root, language)
    packed, date = io.BytesIO(), time.gmtime(dated(root))[:6]
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(f"{TOP}/{name}", date_time=date)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # the same on every system
            archive.writestr(entry, contents[name], zipfile.ZIP_DEFLATED)
    write_atomically(target, packed.getvalue())
    return target


def pack_wheel(folder: Path, root: Path = ROOT) -> Path:
    """Build the wheel of `keyhole` with the students' data inside; its path in `folder`.

    pip builds it, with the setuptools that pyproject.toml names. Raises KeyholeError where pip
    fails.
    """
    with tempfile.TemporaryDirectory() as temporary:
        tree = Path(temporary)
        for name, content in contents_for_students(root).items():
            if not name.startswith("assignments/"):
                target = tree / (f"keyhole/{name}" if name.startswith("data/") else name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        with (tree / "pyproject.toml").open("a") as project:
            project.write(f"\n{PACKED_DATA}")
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]
        built = subprocess.run(
            [*pip, tree / "made", tree],
            env={**os.environ, "SOURCE_DATE_EPOCH": str(dated(root))},
            capture_output=True,
            text=True,
        )
        made = [*(tree / "made").glob("*.whl")] if built.returncode == 0 else []
        if not made:
            raise KeyholeError(f"pip built no wheel: {built.stderr.strip()}")
        target = folder / made[0].name
        write_atomically(target, made[0].read_bytes())
        return target


def dated(root: Path) -> int:
    """The date of everything in a pack, in seconds since 1970: that of the last commit.

    The environment variable SOURCE_DATE_EPOCH goes before it.
    """
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    log = ["git", "-C", root, "log", "-1", "--format=%ct"]
    try:
        done = subprocess.run(log, capture_output=True, text=True)
    except OSError:  # no git here
        return UNDATED
    return int(done.stdout) if done.returncode == 0 else UNDATED


def contents_for_students(root: Path = ROOT, language: str = "en") -> dict[str, bytes]:
    """What students get, by its name in the pack, with the notebooks in one language.

    Raises KeyholeError where they must not get something.
    """
    if language not in READMES:
        raise KeyholeError(f"no notebooks in {language!r}: there are {', '.join(READMES)}.")
    contents = {}
    for folder in FOLDERS:
        for path in (root / folder).rglob("*"):
            name = _name(path.relative_to(root), language)
            if path.is_file() and name and _for_students(name):
                contents[name.as_posix()] = _content(path)
    for source, name in {**FILES, READMES[language]: "README.md"}.items():
        contents[name] = (root / source).read_bytes()
    for name, made in (
        ("pyproject.toml", students_project),
        ("constraints.txt", students_versions),
        ("environment.yml", students_environment),
    ):
        contents[name] = made((root / name).read_text("utf-8")).encode()
    return contents


def students_project(project: str) -> str:
    """pyproject.toml without the staff's command and packages, and without the tests' settings."""
    project = project.split("[tool.pytest.ini_options]")[0].rstrip() + "\n"
    for extra in STAFFS_EXTRAS:
        project = _without(project, rf"^{extra} = \[.*?\]\n", f"the extra {extra!r}")
    for staffs in ('autograder = "autograder.cli:main"\n', ', "autograder*"', ', "lecture*"'):
        project = _without(project, re.escape(staffs), staffs.strip())
    return project


def students_versions(constraints: str) -> str:
    """constraints.txt without the packages of the staff's extras."""
    for extra in STAFFS_EXTRAS:
        constraints = _without(constraints, rf"^# {extra}\n.*?(?=^# |\Z)", f"a part {extra!r}")
    return constraints


def students_environment(environment: str) -> str:
    """environment.yml without the staff's extras."""
    return _without(environment, "(?<=lab)," + ",".join(STAFFS_EXTRAS), "the staff's extras")


def _without(text: str, pattern: str, what: str) -> str:
    """`text` without the one place that fits. Raises KeyholeError where there is none."""
    left, found = re.subn(pattern, "", text, flags=re.MULTILINE | re.DOTALL)
    if found != 1:
        raise KeyholeError(
            f"{what} stands {found} times where it should stand once: "
            "teach autograder/making/student_pack.py the new form."
        )
    return left


def _name(path: Path, language: str) -> Path | None:
    """Where a file of the tree stands in the pack; None for notebooks in other languages."""
    folder, *below = path.parts
    if folder != "assignments":
        return path
    spoken = below.pop(0) if below[0] in READMES else "en"
    return Path(folder, *below) if spoken == language else None


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
    """The facts that students may see, without what tells of a fact that is held back.

    That is a reversion probe with such a fact's subject as its answer, and of all facts the second
    fact behind the portability probe. The facts themselves stay: notebook 4 has edits of each.
    """
    held = {(fact.get("relation"), fact.get("subject")) for fact in facts if fact.get("hidden")}
    shown = []
    for fact in facts:
        if fact.get("hidden"):
            continue
        fact = dict(fact)
        answer = fact.get("reversion", {}).get("target_true", "").strip()
        if (fact.get("relation"), answer) in held:
            fact["reversion"] = HELD_BACK
        if "portability" in fact:
            probe = fact["portability"]
            fact["portability"] = {key: probe[key] for key in probe if key != "second_fact"}
        shown.append(fact)
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
    language = arguments[1] if len(arguments) > 1 else "en"
    try:
        made = [pack(target, language=language), pack_wheel(target.parent)]
    except (KeyholeError, OSError) as problem:
        print(f"The students' pack was not made: {problem}", file=sys.stderr)
        return 1
    for path in made:
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
