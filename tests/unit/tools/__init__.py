"""Tests of the tools around the contracts."""
