"""What becomes of cards and feedback while things fail, played on the real service."""
