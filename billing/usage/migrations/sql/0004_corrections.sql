-- Who corrected what is a fact, and so is its effect: never changed, never deleted.
CREATE TRIGGER usage_correction_is_append_only BEFORE UPDATE OR DELETE ON usage_usagecorrection
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('usage_correction_is_append_only');
CREATE TRIGGER usage_correction_is_not_truncated BEFORE TRUNCATE ON usage_usagecorrection
    FOR EACH STATEMENT EXECUTE FUNCTION vv_append_only('usage_correction_is_append_only');
CREATE TRIGGER usage_sign_is_append_only BEFORE UPDATE OR DELETE ON usage_usagesign
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('usage_sign_is_append_only');
CREATE TRIGGER usage_sign_is_not_truncated BEFORE TRUNCATE ON usage_usagesign
    FOR EACH STATEMENT EXECUTE FUNCTION vv_append_only('usage_sign_is_append_only');
CREATE TRIGGER usage_addition_is_append_only BEFORE UPDATE OR DELETE ON usage_usageaddition
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('usage_addition_is_append_only');
CREATE TRIGGER usage_addition_is_not_truncated BEFORE TRUNCATE ON usage_usageaddition
    FOR EACH STATEMENT EXECUTE FUNCTION vv_append_only('usage_addition_is_append_only');

-- An event counts once or not at all, and a sign says of its event what the event says of itself.
CREATE FUNCTION vv_usage_sign() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM usage_usageevent event WHERE event.id = NEW.event_id
          AND (event.customer_id, event.event_type, event.at, event.properties)
            = (NEW.customer_id, NEW.event_type, NEW.at, NEW.properties)
          AND NEW.received_at > event.received_at
    ) THEN
        RAISE EXCEPTION 'a sign repeats its event and comes after it'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'usage_sign_repeats_its_event', TABLE = TG_TABLE_NAME;
    END IF;
    IF NEW.sign + coalesce((SELECT sum(sign) FROM usage_usagesign WHERE event_id = NEW.event_id), 0) NOT IN (-1, 0) THEN
        RAISE EXCEPTION 'an event counts once or not at all'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'i13_event_counts_once_or_not', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER i13_event_counts_once_or_not BEFORE INSERT ON usage_usagesign
    FOR EACH ROW EXECUTE FUNCTION vv_usage_sign();
