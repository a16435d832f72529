"""`python -m rect_train.cli`."""

import sys

from rect_train.cli import main

sys.exit(main())
