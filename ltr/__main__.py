"""``python -m ltr`` is ``ltr``."""

import sys

from ltr.cli import main

sys.exit(main())
