"""Read-only questions over everything below: reconciliation today, statements and ageing when they come."""
