"""The database's schema, step by step (Alembic); `vialwise.database.upgrade` runs what is due."""
