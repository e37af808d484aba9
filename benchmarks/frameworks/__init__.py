"""One adapter per framework and, beside it, a light file that says which modes it has.

``BOOKBENCH_FRAMEWORKS``, in the environment, names further folders with such files: absolute, joined as in ``PATH``.
"""

import os

__path__ += [folder for folder in os.environ.get("BOOKBENCH_FRAMEWORKS", "").split(os.pathsep) if folder]
