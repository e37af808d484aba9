"""A whole epoch: data resident, from one shared NumPy feed, and from the framework's own loader."""
