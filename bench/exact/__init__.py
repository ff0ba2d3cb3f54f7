"""Quality and speed of the exact engine against the same model in floating point."""
