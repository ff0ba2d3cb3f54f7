"""Slither over Vyper 0.4: its front end reads the syntax tree of Vyper 0.3.7, so ours is flattened into that form first."""
