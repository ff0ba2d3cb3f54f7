"""Proofmill: neural-network inference in exact integers, paid through and checked by contracts."""

__version__ = "0.1.0"
