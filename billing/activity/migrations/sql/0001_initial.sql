-- I29, I33: activity is append-only; only the relay's marks are set, each once.
CREATE TRIGGER i33_activity_is_append_only BEFORE UPDATE ON activity_activity
    FOR EACH ROW EXECUTE FUNCTION vv_frozen_except('i33_activity_is_append_only',
        'dispatched_at?', 'chain_position?', 'chain_hash?');
CREATE TRIGGER i33_activity_is_not_deleted BEFORE DELETE ON activity_activity
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('i33_activity_is_append_only');
CREATE TRIGGER i33_activity_is_not_truncated BEFORE TRUNCATE ON activity_activity
    FOR EACH STATEMENT EXECUTE FUNCTION vv_append_only('i33_activity_is_append_only');
