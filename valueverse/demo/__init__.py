"""The demo story: two customers, one hour of real usage, four invoices, one closed month."""
