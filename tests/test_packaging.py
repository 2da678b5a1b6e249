"""What surrounds the code: versions in step, a set-up that repairs itself, the students' pack."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from autograder.hidden import challenge
from autograder.making.student_pack import (
    FILES,
    READMES,
    TOP,
    pack,
    pack_wheel,
    students_environment,
    students_project,
    students_versions,
)
from keyhole.errors import KeyholeError
from keyhole.facts import fact_from

ROOT = Path(__file__).resolve().parent.parent
PINS = "autograder/sandbox/pins.txt"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text("utf-8")


def pinned(constraints):
    """Package -> its exact version, in the lines of a constraints file."""
    lines = [line.split(";")[0].strip() for line in constraints.splitlines()]
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_conda_installs_what_make_installs():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    python, pip, packages = environment["dependencies"]
    assert environment["name"] == "keyhole" and pip == "pip"
    assert PROJECT["requires-python"] == f">={python.removeprefix('python=')}"
    extras = re.search(r"^EXTRAS := (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert packages["pip"] == ["--constraint constraints.txt", f"--editable .[{extras[1]}]"]
    assert set(extras[1].split(",")) == EXTRAS.keys()


def test_every_package_has_one_exact_version_within_its_range():
    needs = [
        Requirement(each)
        for each in [*PROJECT["dependencies"], *(each for some in EXTRAS.values() for each in some)]
    ]
    versions = pinned(CONSTRAINTS)
    assert versions.keys() == {need.name for need in needs}
    assert not [need for need in needs if versions[need.name] not in need.specifier]
    assert versions["torch"] == "2.13.0"


def test_students_install_neither_grader_nor_demo():
    """keyhole/ names the packages that it imports, and imports none of the staff's."""
    students = {Requirement(each).name for each in PROJECT["dependencies"]}
    imported = set()
    for path in (ROOT / "keyhole").rglob("*.py"):
        imported |= set(re.findall(r"^\s*(?:from|import) (\w+)", path.read_text("utf-8"), re.M))
    homes = importlib.metadata.packages_distributions()
    foreign = {
        homes[name][0].lower()
        for name in imported - set(sys.stdlib_module_names) - {"keyhole"}
        if name in homes
    }
    # What transformers brings along; and what a notebook shows itself with.
    assert foreign - students <= {"huggingface_hub", "huggingface-hub", "tokenizers", "ipython"}


def test_what_isolates_is_pinned_by_hash_too():
    """Whoever changes such a package changes what guards the grader."""
    pins = (ROOT / PINS).read_text("utf-8")
    hashed = re.findall(
        r"^([\w-]+==[\d.]+; sys_platform == 'linux')(?: --hash=sha256:[0-9a-f]{64})+$",
        pins,
        re.MULTILINE,
    )
    assert hashed == [pin for pin in EXTRAS["grade"] if "linux" in pin]
    assert f"--require-hashes --no-deps -r {PINS}" in (ROOT / "Makefile").read_text("utf-8")


def test_continuous_integration_lints_and_then_tests():
    run = ROOT / ".ci" / "run"
    assert os.access(run, os.X_OK)
    subprocess.run(["bash", "-n", run], check=True)
    assert run.read_text("utf-8").splitlines()[-2:] == ["make lint", "make test"]
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    assert workflow["jobs"]["test"]["steps"][-1] == {"run": ".ci/run"}


# make setup, with an interpreter that only pretends: its "pip" writes down what it was asked


PRETENDER = """#!/usr/bin/env bash
# python as far as the Makefile needs it: -c, -m venv --clear FOLDER, -m pip
case "$1 $2" in
  "-c "*) [ ! -e too-old ] ;;
  "-m venv") echo "venv" >> calls; rm -rf "$4"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
  "-m pip") echo "pip" >> calls; [ ! -e pip-fails ] ;;
esac
"""


@pytest.fixture
def clone(tmp_path):
    """A folder with the Makefile, and a function that runs `make setup` there.

    The function returns (exit status, calls, what was said).
    """
    (tmp_path / PINS).parent.mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt", PINS):
        shutil.copy(ROOT / name, tmp_path / name)
    python = tmp_path / "pretender"
    python.write_text(PRETENDER)
    python.chmod(0o755)

    def setup():
        (tmp_path / "calls").unlink(missing_ok=True)
        outside = {
            name: value
            for name, value in os.environ.items()
            if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
        }
        done = subprocess.run(
            ["make", "setup", f"PYTHON={python}"],
            cwd=tmp_path,
            env=outside,
            capture_output=True,
            text=True,
        )
        calls = tmp_path / "calls"
        return (
            done.returncode,
            calls.read_text().split() if calls.exists() else [],
            done.stdout + done.stderr,
        )

    if not shutil.which("make") or not shutil.which("bash"):
        pytest.skip("needs make and bash")
    return tmp_path, setup


def test_set_up_once_then_reuse(clone):
    _, setup = clone
    assert setup()[:2] == (0, ["venv", "pip", "pip"])
    assert setup() == (0, [], "")


@pytest.mark.parametrize("versions", ["pyproject.toml", "constraints.txt", PINS])
def test_set_up_again_in_place_when_the_versions_changed(clone, versions):
    folder, setup = clone
    setup()
    with (folder / versions).open("a") as file:
        file.write("# changed\n")
    assert setup()[:2] == (0, ["pip", "pip"])
    os.utime(folder / versions)  # a checkout touches files without changing them
    assert setup()[:2] == (0, [])


def test_a_set_up_interrupted_in_pip_starts_afresh(clone):
    folder, setup = clone
    (folder / "pip-fails").touch()
    status, calls, said = setup()
    assert status != 0 and calls == ["venv", "pip"] and "run the same command again" in said
    (folder / "pip-fails").unlink()
    assert setup()[:2] == (0, ["venv", "pip", "pip"])
    assert setup()[:2] == (0, [])


def test_an_upgrade_interrupted_in_pip_and_taken_back_starts_afresh(clone):
    folder, setup = clone
    setup()
    before = (folder / "pyproject.toml").read_text("utf-8")
    (folder / "pyproject.toml").write_text(before + "# changed\n", "utf-8")
    (folder / "pip-fails").touch()
    assert setup()[0] != 0
    (folder / "pip-fails").unlink()
    (folder / "pyproject.toml").write_text(before, "utf-8")
    assert setup()[:2] == (0, ["venv", "pip", "pip"])
    assert setup()[:2] == (0, [])


@pytest.mark.parametrize("ready", [True, False])
def test_an_environment_without_a_working_python_is_made_again(clone, ready):
    folder, setup = clone
    if ready:
        setup()
        (folder / ".venv" / "bin" / "python").unlink()
    else:
        (folder / ".venv" / "bin").mkdir(parents=True)
    assert setup()[:2] == (0, ["venv", "pip", "pip"])


def test_an_environment_made_by_hand_is_kept(clone):
    folder, setup = clone
    (folder / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(folder / "pretender", folder / ".venv" / "bin" / "python")
    assert setup()[:2] == (0, ["pip", "pip"])


def test_an_old_python_is_refused_in_a_sentence(clone):
    folder, setup = clone
    (folder / "too-old").touch()
    status, calls, said = setup()
    assert status != 0 and calls == [] and "Python 3.11 or newer" in said


# The students' pack


@pytest.fixture
def tree(tmp_path):
    """A small tree of the repository's shape, with something to hide in every corner."""
    root = tmp_path / "root"
    for name in ("environment.yml", "pyproject.toml", "constraints.txt", *FILES, READMES["en"]):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    notebook = {"cells": [{"cell_type": "code", "source": ["x = 1"], "outputs": []}]}
    facts = {"model": "m", "facts": [{"id": "shown"}, {"id": "secret-fact", "hidden": True}]}
    for name, text in {
        "keyhole/__init__.py": "",
        "keyhole/__pycache__/x.pyc": "SECRET",
        "autograder/cli.py": "SECRET",
        "solutions/model_editing/3_edit.ipynb": "SECRET",
        "data/sample_class/a/model_editing/3_edit.ipynb": "SECRET",
        "assignments/model_editing/3_edit.ipynb": json.dumps(notebook),
        "data/facts.json": json.dumps(facts),
        "assignments/model_editing/.ipynb_checkpoints/3_edit.ipynb": "SECRET",
        "data/fact_candidates.json": "SECRET",
        "assignments/model_editing/my_fact.json": "SECRET",
        "assignments/model_editing/my_edit.safetensors": "SECRET",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def contents(path):
    with zipfile.ZipFile(path) as archive:
        return {name.removeprefix(f"{TOP}/"): archive.read(name) for name in archive.namelist()}


def test_the_pack_holds_what_students_need_and_nothing_else(tree, tmp_path):
    packed = contents(pack(tmp_path / "pack.zip", tree))
    assert sorted(packed) == [
        ".binder/environment.yml",
        ".binder/postBuild",
        ".devcontainer/devcontainer.json",
        "LICENSE",
        "NOTICE",
        "README.md",
        "assignments/model_editing/3_edit.ipynb",
        "constraints.txt",
        "data/facts.json",
        "environment.yml",
        "keyhole/__init__.py",
        "pyproject.toml",
    ]
    assert not any(b"SECRET" in content for content in packed.values())
    assert [fact["id"] for fact in json.loads(packed["data/facts.json"])["facts"]] == ["shown"]
    assert packed["README.md"] == (ROOT / "docs" / "students.md").read_bytes()


def test_a_probe_that_tells_a_held_back_fact_is_taken_out_and_its_fact_stays(real_pack):
    whole = json.loads((ROOT / "data" / "facts.json").read_text("utf-8"))["facts"]
    shown = json.loads(contents(real_pack)["data/facts.json"])["facts"]
    assert [each["id"] for each in shown] == [each["id"] for each in whole if not each["hidden"]]
    without = [fact_from(each) for each in shown if each["reversion"] == {"held_back": True}]
    assert 1 < len(without) < 10
    assert all(fact.reversion is None and "reversion" not in fact.probes() for fact in without)


def test_the_pack_is_the_same_whenever_it_is_made(tree, tmp_path):
    first = pack(tmp_path / "first.zip", tree).read_bytes()
    for path in tree.rglob("*"):
        os.utime(path)
    (tree / "data" / "facts.json").chmod(0o600)
    assert pack(tmp_path / "second.zip", tree).read_bytes() == first


def test_what_is_packed_has_the_date_of_the_last_commit(tree, tmp_path, monkeypatch):
    def dates():
        with zipfile.ZipFile(pack(tmp_path / "pack.zip", tree)) as archive:
            return {entry.date_time for entry in archive.infolist()}

    [(year, month, *_)] = dates()
    assert (year, month) == (2026, 11)  # no commit, yet no 1980 either
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2027-03-04T05:06:08Z")
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", "-C", tree, *command], check=True)
    assert dates() == {(2027, 3, 4, 5, 6, 8)}
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1900000000")
    assert dates() == {(2030, 3, 17, 17, 46, 40)}


@pytest.mark.parametrize(
    "cell",
    [
        {"source": ["### BEGIN SOLUTION\n"], "outputs": []},
        {"source": ["f()"], "outputs": [{"text": "42"}]},
    ],
    ids=["solved", "executed"],
)
def test_a_notebook_that_somebody_worked_in_is_refused(tree, tmp_path, cell):
    (tree / "assignments" / "model_editing" / "3_edit.ipynb").write_text(
        json.dumps({"cells": [cell]})
    )
    with pytest.raises(KeyholeError, match="make assignments"):
        pack(tmp_path / "pack.zip", tree)
    assert not (tmp_path / "pack.zip").exists()


def test_the_students_project_installs_keyhole_alone():
    project = tomllib.loads(students_project((ROOT / "pyproject.toml").read_text("utf-8")))
    assert project["project"]["scripts"] == {"keyhole": "keyhole.cli:main"}
    assert project["tool"] == {"setuptools": {"packages": {"find": {"include": ["keyhole*"]}}}}
    assert project["project"]["dependencies"] == PROJECT["dependencies"]
    assert project["project"]["optional-dependencies"] == {"lab": EXTRAS["lab"]}
    environment = yaml.safe_load(students_environment((ROOT / "environment.yml").read_text()))
    assert environment["dependencies"][2]["pip"][1] == "--editable .[lab]"
    needs = [*PROJECT["dependencies"], *EXTRAS["lab"]]
    assert pinned(students_versions(CONSTRAINTS)).keys() == {
        Requirement(need).name for need in needs
    }


@pytest.fixture(scope="module")
def real_pack(tmp_path_factory):
    """The pack of this repository."""
    return pack(tmp_path_factory.mktemp("pack") / "pack.zip")


def solution_lines(cell):
    """The lines of a cell's solution that are long enough to tell something."""
    source = "".join(cell["source"])
    solution = source.partition("### BEGIN SOLUTION")[2].partition("### END SOLUTION")[0]
    lines = {line.strip() for line in solution.splitlines()}
    return {line for line in lines if len(line) > 30 and not line.startswith("with ")}


def texts(packed):
    """What a pack says, by file: lower case, blanks made one, the strings of JSON decoded."""
    said = {}
    for name, content in packed.items():
        text = content.decode("utf-8", errors="replace")
        if name.endswith((".ipynb", ".json")):
            text = json.dumps(json.loads(text), ensure_ascii=False).replace("\\n", " ")
            text = text.replace('", "', "")  # a notebook's lines
        said[name] = " ".join(text.replace('\\"', '"').split()).casefold()
    return said


def test_the_real_pack_tells_of_no_fact_that_is_held_back(real_pack):
    """Neither its prompts, in any file, nor its subject, beside its relation's own facts."""
    packed = contents(real_pack)
    facts = json.loads((ROOT / "data" / "facts.json").read_text("utf-8"))["facts"]
    held = [fact for fact in facts if fact["hidden"]]
    said = texts(packed)
    assert (
        "the eiffel tower is located in the city of"
        in said["assignments/model_editing/3_edit.ipynb"]
    )
    told = [
        (name, fact["subject"])
        for fact in held
        for prompt in (fact["prompt"], *fact["paraphrases"])
        for name, text in said.items()
        if prompt.casefold() in text
    ]
    assert not told
    shown = json.loads(packed["data/facts.json"])["facts"]
    maps = json.loads(packed["data/maps.json"])
    told = [
        (fact["id"], entry)
        for fact in held
        for entry in [*shown, *maps]
        if entry["relation"] == fact["relation"]
        and fact["subject"] in json.dumps(entry, ensure_ascii=False)
    ]
    assert not told
    assert not any("second_fact" in fact["portability"] for fact in shown)


def test_the_real_pack_tells_nothing_of_the_challenge_s_hidden_probes(real_pack):
    said = texts(contents(real_pack))
    hidden = [
        prompt
        for fact in challenge.stored()["facts"]
        for prompt in (*fact["paraphrases"], *(each["prompt"] for each in fact["neighbors"]))
    ]
    assert len(hidden) > 200
    assert not [prompt for prompt in hidden for text in said.values() if prompt.casefold() in text]
    assert "data/challenge.json" in said and not [name for name in said if "baseline_" in name]


def test_the_real_pack_tells_nothing(real_pack):
    packed = contents(real_pack)
    folders = {"assignments", "data", "keyhole"}
    files = {"LICENSE", "NOTICE", "README.md", ".devcontainer", ".binder"}
    files |= {"environment.yml", "pyproject.toml", "constraints.txt"}
    assert {name.split("/")[0] for name in packed} <= folders | files
    notebooks = [content for name, content in packed.items() if name.endswith(".ipynb")]
    assert notebooks and not any(b"BEGIN SOLUTION" in content for content in notebooks)
    modules = {name: text.decode() for name, text in packed.items() if name.endswith(".py")}
    hints = {line.strip() for line in modules.pop("keyhole/checking/hints.py").splitlines()}
    library = {line.strip() for module in modules.values() for line in module.splitlines()}
    for path in (ROOT / "solutions").rglob("*.ipynb"):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            lines = solution_lines(cell)
            assert not lines & library, path
            assert not lines or lines - hints, path  # a skeleton lacks the line that counts
    facts = json.loads(packed.get("data/facts.json", b'{"facts": []}'))["facts"]
    assert not any(fact.get("hidden") for fact in facts)


@pytest.mark.slow
def test_the_real_pack_imports(real_pack, tmp_path):
    with zipfile.ZipFile(real_pack) as archive:
        archive.extractall(tmp_path)
    program = (
        "import importlib, pkgutil, sys, keyhole\n"
        "for module in pkgutil.walk_packages(keyhole.__path__, 'keyhole.'):\n"
        "    importlib.import_module(module.name)\n"
        "print(keyhole.__file__, [name for name in sys.modules if name.startswith('autograder')])"
    )
    # Another folder and no site paths of an editable install: the unpacked copy is imported.
    out = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path / TOP), "MPLBACKEND": "agg"},
    )
    assert out.returncode == 0, out.stderr
    assert out.stdout.split(" ", 1) == [str(tmp_path / TOP / "keyhole" / "__init__.py"), "[]\n"]


@pytest.mark.slow
def test_the_wheel_for_colab_holds_the_students_data(tmp_path):
    """It needs nothing of the repository: the data lies within the package."""
    with zipfile.ZipFile(pack_wheel(tmp_path)) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "site")
    assert not [name for name in names if name.startswith(("autograder/", "lecture/", "assign"))]
    facts = json.loads((tmp_path / "site" / "keyhole" / "data" / "facts.json").read_text("utf-8"))
    assert facts["facts"] and not any(fact.get("hidden") for fact in facts["facts"])
    program = (
        "import keyhole; facts = [fact.id for fact in keyhole.load_facts()]; "
        "assert all(fact.id in facts for fact in keyhole.load_edits().facts); "
        "print(len(facts), keyhole.load_moment(layer=4).shape)"
    )
    out = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
    )
    assert out.stdout.split(maxsplit=1) == [
        str(len(facts["facts"])),
        "torch.Size([1536, 1536])\n",
    ], out.stderr


# Machines of others: a dev container, Binder


def test_the_dev_container_sets_up_as_the_students_page_says(real_pack, tmp_path):
    """Its command, in the unpacked pack, with a python that only writes down what it was asked."""
    with zipfile.ZipFile(real_pack) as archive:
        archive.extractall(tmp_path)
    container = json.loads(
        (tmp_path / TOP / ".devcontainer" / "devcontainer.json").read_text("utf-8")
    )
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "python3").write_text(
        '#!/usr/bin/env bash\necho "$*" >> asked\n'
        '[ "$1 $2" != "-m venv" ] || { mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; }\n'
    )
    (tools / "python3").chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    command = container["onCreateCommand"]
    subprocess.run(
        ["bash", "-c", command], cwd=tmp_path / TOP, env={**os.environ, "PATH": path}, check=True
    )
    assert (tmp_path / TOP / "asked").read_text().splitlines() == [
        "-m venv .venv",
        "-m pip install --no-compile --editable .[lab]",
        "-m keyhole fetch",
    ]
    page = (ROOT / "docs" / "students.md").read_text("utf-8")
    assert "-m pip install --no-compile --editable '.[lab]'" in command.replace("\\", "")
    assert "-m pip install --no-compile --editable '.[lab]'" in page.replace('"', "'")


def test_binder_installs_the_students_extra_and_brings_the_model(real_pack, tmp_path):
    with zipfile.ZipFile(real_pack) as archive:
        archive.extractall(tmp_path)
    binder = tmp_path / TOP / ".binder"
    environment = yaml.safe_load((binder / "environment.yml").read_text("utf-8"))
    *conda, pip = environment["dependencies"]
    assert pip == {"pip": ["--editable .[lab]"]} and "pytorch-cpu>=2.10" in conda
    assert "torch>=2.10" in PROJECT["dependencies"]
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "keyhole").write_text('#!/usr/bin/env bash\necho "$*" >> asked\n')
    (tools / "keyhole").chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["bash", binder / "postBuild"], cwd=tmp_path, env={**os.environ, "PATH": path}, check=True
    )
    assert (tmp_path / "asked").read_text() == "fetch\n"
