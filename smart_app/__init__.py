"""The SMART app: everything behind a card, what is missing supplied, the order closed out."""
