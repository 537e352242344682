-- An accepted event is a fact: it is never changed or deleted.
CREATE TRIGGER i12_event_is_append_only BEFORE UPDATE OR DELETE ON usage_usageevent
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('i12_event_is_append_only');
CREATE TRIGGER i12_event_is_not_truncated BEFORE TRUNCATE ON usage_usageevent
    FOR EACH STATEMENT EXECUTE FUNCTION vv_append_only('i12_event_is_append_only');

-- Rollup buckets start at a quarter of an hour, UTC.
ALTER TABLE usage_usagerollup ADD CONSTRAINT rollup_bucket_is_a_quarter_of_an_hour
    CHECK (extract(epoch FROM bucket_at)::bigint % 900 = 0 AND extract(microseconds FROM bucket_at)::bigint % 60000000 = 0);
-- Hot rows are updated in place: room on the page keeps the index untouched.
ALTER TABLE usage_usagerollup SET (fillfactor = 70);
