"""`python -m inference` is `situs-cell`."""

import sys

from inference.cli import main

sys.exit(main())
