"""The plugin's address before version 0.2, for a course whose own nbgrader_config.py names it.

It goes with version 0.3.
"""

from autograder.gradebook.plugin import GradeInSandbox, MendingExporter, before_grading

__all__ = ["GradeInSandbox", "MendingExporter", "before_grading"]
