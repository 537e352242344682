-- A handful of rows that are written and removed all the time: updated in place, and cleaned before they pile up.
ALTER TABLE usage_usagenotice SET (
    fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000
);
