"""The history of the tables that only an oracle has, one file per change, oldest first; `oracle.database` applies it."""
