-- What was let go, and what was decided, are facts.
CREATE TRIGGER forgiven_usage_is_append_only BEFORE UPDATE OR DELETE ON revenue_forgivenusage
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('forgiven_usage_is_append_only');
CREATE TRIGGER late_usage_decision_is_append_only BEFORE UPDATE OR DELETE ON revenue_lateusagedecision
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('late_usage_decision_is_append_only');
