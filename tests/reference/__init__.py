"""The arithmetic of docs/EXACT.md once more, in plain Python integers, sharing no code with the engine."""
