"""`python -m cellgrad` is the command `cellgrad`."""

import sys

from cellgrad.cli import main

sys.exit(main())
