"""What every list of the back office has: filters that refuse nonsense, totals of the filtered set, exports."""
