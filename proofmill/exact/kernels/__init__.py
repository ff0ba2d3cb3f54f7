"""Fast forms of the operators: one interface, several implementations, the same bits."""
