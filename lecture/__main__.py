"""`python -m lecture` opens the lecture demo in a browser."""

import sys

from lecture.page.serve import main

sys.exit(main())
