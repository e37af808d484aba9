"""How much memory training takes, measured alone on the machine."""
