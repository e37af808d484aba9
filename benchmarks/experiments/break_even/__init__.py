"""After how many steps compiling has paid for itself, if ever."""
