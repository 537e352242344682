ALTER TABLE usage_usagerollup RESET (fillfactor);
ALTER TABLE usage_usagerollup DROP CONSTRAINT rollup_bucket_is_a_quarter_of_an_hour;
DROP TRIGGER i12_event_is_not_truncated ON usage_usageevent;
DROP TRIGGER i12_event_is_append_only ON usage_usageevent;
