"""The report: reads result files, writes one self-contained HTML page."""
