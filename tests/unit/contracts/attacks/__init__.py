"""Attacks that once worked on the suite as a whole, and the rules that ended them."""
