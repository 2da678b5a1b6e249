"""The plugin's address of before version 0.2, for courses whose own nbgrader_config.py names it; goes with version 0.3."""

from autograder.gradebook.plugin import GradeInSandbox, MendingExporter, before_grading

__all__ = ["GradeInSandbox", "MendingExporter", "before_grading"]
