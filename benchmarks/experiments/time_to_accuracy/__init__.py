"""How long each framework trains until a target, fixed beforehand, is reached on validation data."""
