"""The lab's driver, by the name that the lab gave it: `python -m bench.compare`.

The same as `python -m bench compare`: naive against stable on the lab's eight cases, predictions
against reality. Everything is in `bench.lab`.
"""

import sys

from bench.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["compare", *sys.argv[1:]]))
