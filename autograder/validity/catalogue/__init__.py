"""The catalogue: solutions of every graded function, and files of every graded kind, wrong and right."""

from autograder.validity.catalogue import edit, locate, measure, own_fact
from autograder.validity.solution import right, wrong

MODULES = (measure, locate, edit)
WRONG = (*(solution for module in MODULES for solution in wrong(module.WRONG)), *own_fact.wrong())
RIGHT = (*(solution for module in MODULES for solution in right(module.RIGHT)), *own_fact.right())
