"""Results for people: figures, tables and the report."""
