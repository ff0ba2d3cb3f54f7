"""What a challenge costs to check and how near a prover comes to its device's peak."""
