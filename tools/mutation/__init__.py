"""Mutation testing of the contracts: one small fault at a time, and the tests must notice."""
