"""What is kept: cards, feedback, used tokens; hashed, and forgotten in time."""
