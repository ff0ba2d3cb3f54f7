"""Revisions: each names the one before it."""
