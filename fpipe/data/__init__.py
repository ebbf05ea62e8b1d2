"""Tasks, tables and predictions."""
