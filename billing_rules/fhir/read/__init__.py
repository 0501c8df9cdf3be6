"""Typed resources to orders and charts."""
