"""``python -m lifline`` is the command ``lifline``."""

import sys

from .cli import main

sys.exit(main())
