"""`python -m workers.cli` is `payorch`."""

import sys

from workers.cli import main

sys.exit(main())
