"""A model as bytes: the canonical manifest from which its identity follows, and the file that carries it with its weights."""
