"""The whole contract suite on titanoboa, for the tests that need all of it at once."""
