"""What is answered besides cards: rule pages, feedback, operations."""
