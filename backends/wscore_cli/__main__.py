"""``python -m wscore_cli``: the same as the command ``wscore``."""

import sys

from . import main

sys.exit(main())
