"""``python -m stream`` is the command ``storestream``."""

import sys

from stream.cli import main

sys.exit(main())
