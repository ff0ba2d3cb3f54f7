"""Commitments to integers: Keccak-256 Merkle trees, and bytes of tables and programs that the EVM can use as they are."""
