"""``python tests/mutations``. (``-m tests.mutations`` would find whatever else installed a package named tests.)"""

import sys
from pathlib import Path

sys.path[:1] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1])]

if __name__ == "__main__":
    from mutations.cli import main

    sys.exit(main())
