"""``python -m lifline`` is the command ``lifline``."""

import sys

from .app.main import main

sys.exit(main())
