"""Faults put into implementations and feeds on purpose: every parity certificate must catch them.

Run as ``python tests/mutations``; the catalogue is in ``faults*.py``.
"""
