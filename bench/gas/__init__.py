"""What the contracts cost: whole transactions on anvil, as a user pays them."""
