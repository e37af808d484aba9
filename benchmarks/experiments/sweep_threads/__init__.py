"""How training scales over the threads of a CPU."""
