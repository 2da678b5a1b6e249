"""Prove the ranges of pyproject.toml: `python -m tests.environments lowest | newest | colab`.

Each makes a virtual environment in a temporary folder. There the public checks run on the
solutions; in the imitation of Colab the released notebooks run from top to bottom, with the
solutions put in. The suite leaves this out: on Linux each brings torch with CUDA, 3 GB. What it
said is in docs/machines.md.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
from pathlib import Path

import nbformat

from autograder.gradebook.colab import cells
from autograder.hidden import NOTEBOOKS
from autograder.making.student_pack import pack_wheel

ROOT = Path(__file__).resolve().parent.parent
SOLUTIONS = ROOT / "solutions" / "model_editing"
# Colab's runtime of August 2026, as far as Keyhole meets it. Its Python is 3.13.
COLAB = """torch==2.11.0 numpy==2.1.3 transformers==5.15.0 accelerate==1.14.0 safetensors==0.8.0
matplotlib==3.10.0 notebook==6.5.7 ipywidgets==7.7.1 tqdm nbclient""".split()
UPLOAD = '''"""What the cell for Colab sees there."""
import glob, os, shutil
def upload():
    for path in glob.glob(os.environ["UPLOADED"] + "/*"):
        shutil.copy(path, ".")
'''


def floors() -> list[str]:
    """The lowest version that each range of the students' packages allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needs = [*project["dependencies"], *project["optional-dependencies"]["lab"]]
    return [re.sub(r">=([\d.]+).*", r"==\1", need) for need in needs]


def main(kind: str) -> int:
    """Make the environment, run what it is to prove, and say what it took. Gives a status."""
    wanted = {"lowest": floors(), "newest": [], "colab": COLAB}[kind]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        wheel = pack_wheel(folder / "uploads")
        venv.create(folder / "venv", with_pip=True)
        python = folder / "venv" / "bin" / "python"
        pip = [python, "-m", "pip", "install", "--quiet", "--no-cache-dir", *wanted]
        _timed(f"{kind}: set-up", [*pip] if kind == "colab" else [*pip, f"{wheel}[lab]"], folder)
        size = sum(path.lstat().st_size for path in (folder / "venv").rglob("*")) / 1e9
        print(f"{kind}: the environment takes {size:.1f} GB", flush=True)
        return _imitate(folder, python) if kind == "colab" else _check(folder, python)


def _check(folder: Path, python: Path) -> int:
    """The public checks on the solutions."""
    for each in SOLUTIONS.glob("*.ipynb"):
        shutil.copy(each, folder)
    _timed("fetch", [python, "-m", "keyhole", "fetch"], folder)
    return max(
        _timed(name, [python, "-m", "keyhole", "check", f"{name}.ipynb"], folder)
        for name in NOTEBOOKS
    )


def _imitate(folder: Path, python: Path) -> int:
    """The notebooks in a folder that holds nothing else, beside a stand-in for Colab's module."""
    module = next((folder / "venv").rglob("site-packages")) / "google" / "colab"
    module.mkdir(parents=True)
    (module / "__init__.py").touch()
    (module / "files.py").write_text(UPLOAD)
    status = 0
    for name in NOTEBOOKS:
        work = folder / f"content-{name}"  # Colab's machine is a new one for each notebook
        work.mkdir()
        notebook = nbformat.read(SOLUTIONS / f"{name}.ipynb", 4)
        notebook.cells = [*cells("", "", "", ""), *notebook.cells]
        nbformat.write(notebook, work / f"{name}.ipynb")
        run = [python, "-m", "jupyter", "nbconvert", "--to", "notebook", "--execute", "--inplace"]
        status = max(status, _timed(name, [*run, f"{name}.ipynb"], work))
        executed = json.loads((work / f"{name}.ipynb").read_text("utf-8"))
        for output in executed["cells"][1]["outputs"]:
            print("".join(output.get("text", [])), end="")
        shutil.copy(work / f"{name}.ipynb", folder / "uploads")  # for the next one
    return status


def _timed(what: str, command: list, folder: Path) -> int:
    """Run a command in `folder`, print its last lines and its seconds, and give its status."""
    began = time.perf_counter()
    environment = {
        **os.environ,
        "UPLOADED": str(folder if folder.name == "uploads" else folder.parent / "uploads"),
        "KEYHOLE_CACHE": str(folder.parent / "keyhole-cache"),
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    said = (done.stdout + (done.stderr if done.returncode else "")).strip().splitlines()[-12:]
    print(
        *said,
        f"{what}: {time.perf_counter() - began:.0f} s, exit status {done.returncode}",
        sep="\n",
        flush=True,
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
