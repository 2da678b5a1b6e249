"""Where the command `keyhole` imports from. It needs only modules that Python itself has loaded."""

import os
import sys


def import_path() -> list[str]:
    """sys.path without the working folder, and with Keyhole's own folder last.

    A student's folder may hold a random.py or a torch.py, which torch would import. A graded
    function cannot import from there anyway: the grader sees the notebook alone.
    """
    here = os.path.realpath(os.curdir)
    others = [each for each in sys.path if each and os.path.realpath(each) != here]
    return [*others, os.path.dirname(os.path.dirname(os.path.realpath(__file__)))]
