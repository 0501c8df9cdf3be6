"""What is proposed or written: corrected drafts, administrations, results, forms."""
