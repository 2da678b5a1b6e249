"""The hidden tests, one module a notebook. They never leave the staff, and never enter a student's process."""

from autograder.hidden import edit

NOTEBOOKS = {"3_edit": edit.TESTS}
