"""The nouns: amounts, data states, dated values, drugs, orders, charts, findings, forms."""
