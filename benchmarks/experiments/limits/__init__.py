"""How close training comes to what this machine can do, and which of its limits binds."""
