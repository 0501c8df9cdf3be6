"""Rules on what the chart must show for the claim to be paid."""
