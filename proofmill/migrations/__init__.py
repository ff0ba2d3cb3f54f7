"""The history of the database's tables, one file per change, oldest first; `proofmill.chain.schema` applies it."""
