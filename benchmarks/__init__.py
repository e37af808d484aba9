"""The engine: how a workload is measured, proven equal, stored and listed.

Importing this package imports nothing heavy; a worker needs only the standard
library, NumPy and its own framework.
"""

__version__ = "0.1.0"
