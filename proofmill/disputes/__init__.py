"""The game that decides about a doubted answer: what is claimed, asked, revealed and proved. Knows no network."""
