"""SMART App Launch 2.2: who may see and write what, and how an app comes by it."""
