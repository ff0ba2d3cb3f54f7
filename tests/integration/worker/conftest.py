"""A chain of its own for the tests of the worker."""

from tests.integration.own_chain import deployment, session_anvil

__all__ = ["deployment", "session_anvil"]
