"""`python -m bert4keras3`: the command line of `bert4keras3.cli`."""

import sys

from bert4keras3.cli import main

sys.exit(main())
