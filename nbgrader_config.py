"""nbgrader's settings for this course: run `nbgrader ...` in the folder of this file (see docs/)."""

import os
import sys
import warnings
from pathlib import Path

from sqlalchemy.exc import SAWarning

warnings.filterwarnings(
    "ignore", category=SAWarning, module="nbgrader"
)  # of nbgrader's own queries, harmless
c = get_config()  # noqa: F821 (given by the loader of this file; an imported one fills another configuration)
root = Path(__file__).resolve().parent
(root / "grading").mkdir(exist_ok=True)

# nbgrader runs `alembic` by name when it makes the gradebook; it lies beside this Python, active environment or not.
if (tools := str(Path(sys.executable).parent)) not in os.environ.get("PATH", "").split(os.pathsep):
    os.environ["PATH"] = os.pathsep.join([tools, os.environ.get("PATH", os.defpath)])

c.CourseDirectory.root = str(root)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "assignments"
c.CourseDirectory.submitted_directory = "grading/submitted"
c.CourseDirectory.autograded_directory = "grading/autograded"
c.CourseDirectory.feedback_directory = "grading/feedback"
c.CourseDirectory.db_url = (  # seconds to wait for another writer
    f"sqlite:///{root / 'grading' / 'gradebook.db'}?timeout=60"
)
c.CourseDirectory.ignore = [
    ".ipynb_checkpoints",
    "*.pyc",
    "__pycache__",
    "feedback",
    ".DS_Store",
    ".*",
    "my_fact.json",
    "my_edit.safetensors",
]

# Blanks keep signature and docstring; `keyhole` knows an untouched one by this line.
c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE\nraise NotImplementedError()"}

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
# Students' code runs at the best level of isolation that this machine has, A to E (docs/security.md), but at none below the one named
# here; at E, which is none at all, only if you accept that.
c.GradeInSandbox.require_isolation = "E"
c.GradeInSandbox.accept_no_isolation = False
# What students read on their feedback pages: "en" or "zh-TW" (`autograder grade --lang` says otherwise for one grading).
c.GradeInSandbox.language = "en"
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.GetGrades",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
