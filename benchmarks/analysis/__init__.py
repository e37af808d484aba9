"""From samples to statements: ratios, verdicts, agreement."""
