"""Energy of training, alone on the machine, beside what the idle machine draws."""
