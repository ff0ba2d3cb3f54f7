"""Nodes that misbehave on purpose, for the demonstration and the tests. Nothing else imports them."""
