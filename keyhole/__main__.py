"""`python -m keyhole`: the command `keyhole`, where the shell does not find it by its name."""

import sys

from keyhole.importing import import_path

if __name__ == "__main__":
    # Python put the working folder first. Even the standard library would be imported from there.
    sys.path[:] = import_path()
    from keyhole.cli import main

    sys.exit(main())
