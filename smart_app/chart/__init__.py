"""The window's patient: chart, orders, requirements."""
