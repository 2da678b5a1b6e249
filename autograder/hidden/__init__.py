"""The hidden tests, one module a notebook.

They never leave the staff, and never enter a student's process.
"""

from autograder.hidden import edit, learned, locate, many, measure

NOTEBOOKS = {
    "1_measure": measure.TESTS,
    "2_locate": locate.TESTS,
    "3_edit": edit.TESTS,
    "4_scale": many.TESTS,
    "5_learn_to_edit": learned.TESTS,
}
