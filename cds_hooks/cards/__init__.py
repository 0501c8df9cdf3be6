"""Reviews to cards: which are shown, their words, suggestions and links."""
