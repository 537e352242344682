"""What is made of an issued document's snapshot: PDF, canonical JSON, mail. Plain values in and out, no database."""
