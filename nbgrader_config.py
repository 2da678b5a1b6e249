"""nbgrader's settings for this course. Run `nbgrader ...` in the folder of this file (docs/)."""

import os
import sys
import warnings
from pathlib import Path

from sqlalchemy.exc import SAWarning

from autograder.gradebook.config import unusable

# These warnings are about nbgrader's own queries, and harmless.
warnings.filterwarnings("ignore", category=SAWarning, module="nbgrader")
# The loader of this file provides `get_config`. An imported one would fill another configuration.
c = get_config()  # noqa: F821
root = Path(__file__).resolve().parent
# Jupyter reads this file too, to start, and needs no gradebook for that.
if (why := unusable(root)) and "nbgrader" in Path(sys.argv[0]).name:
    sys.exit(f"nbgrader: {why}")

# To make the gradebook nbgrader runs `alembic` by name. It lies beside this Python, whether or not
# the environment is active.
if (tools := str(Path(sys.executable).parent)) not in os.environ.get("PATH", "").split(os.pathsep):
    os.environ["PATH"] = os.pathsep.join([tools, os.environ.get("PATH", os.defpath)])

c.CourseDirectory.root = str(root)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "assignments"
c.CourseDirectory.submitted_directory = "grading/submitted"
c.CourseDirectory.autograded_directory = "grading/autograded"
c.CourseDirectory.feedback_directory = "grading/feedback"
# The time-out is how many seconds to wait for another writer.
c.CourseDirectory.db_url = f"sqlite:///{root / 'grading' / 'gradebook.db'}?timeout=60"
c.CourseDirectory.ignore = [
    ".ipynb_checkpoints",
    "*.pyc",
    "__pycache__",
    "feedback",
    ".DS_Store",
    ".*",
    "my_fact.json",
    "my_edit.safetensors",
    "zh-TW",  # translations of the solutions, the answers to the questions among them
]

# Blanks keep signature and docstring; `keyhole` knows an untouched one by this line.
c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE\nraise NotImplementedError()"}

# Where students find the course online. All three may stay empty (docs/machines.md).
c.ForColab.repository = ""  # OWNER/NAME on GitHub, for the badge "Open in Colab"
c.ForColab.branch = "main"
c.ForColab.wheel = ""  # the address of the wheel that `make student-pack` writes
c.GenerateAssignment.preprocessors.prepend(["autograder.gradebook.colab.ForColab"])

# A kernel never runs: the hidden tests run in a sandbox, and every notebook is mended first.
c.Autograde.exporter_class = "autograder.gradebook.plugin.MendingExporter"
c.Autograde.pre_convert_hook = "autograder.gradebook.plugin.before_grading"
c.Autograde.autograde_preprocessors = [
    "autograder.gradebook.plugin.GradeInSandbox",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
# Students' code runs at the best level of isolation that this machine gives, A to E
# (docs/security.md). It does not run below the level that you name here. Level E is no isolation at
# all: there it runs only if you accept that.
c.GradeInSandbox.require_isolation = "E"
c.GradeInSandbox.accept_no_isolation = False
# The language of the feedback pages: "en" or "zh-TW". `autograder grade --lang` chooses another one
# for a single grading.
c.GradeInSandbox.language = "en"
# Formulas as MathML: nbgrader's pages and formgrader need no network for them.
c.HTMLExporter.filters = {"markdown2html": "autograder.pages.formulas.markdown_to_html"}
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.GetGrades",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
