-- I22: at commit the slices of a schedule sum to its amount.
CREATE FUNCTION vv_schedule_sums_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    checked_id bigint;
    expected numeric;
    actual numeric;
BEGIN
    IF TG_TABLE_NAME = 'revenue_revenueschedule' THEN
        checked_id := NEW.id;
    ELSE
        checked_id := NEW.schedule_id;
    END IF;
    SELECT amount_minor INTO expected FROM revenue_revenueschedule WHERE id = checked_id;
    SELECT coalesce(sum(amount_minor), 0) INTO actual FROM revenue_revenueslice WHERE schedule_id = checked_id;
    IF expected <> actual THEN
        RAISE EXCEPTION 'the slices of schedule % sum to %, its line to %', checked_id, actual, expected
            USING ERRCODE = 'check_violation', CONSTRAINT = 'i22_slices_sum_to_the_line', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER i22_slices_sum_to_the_line AFTER INSERT ON revenue_revenueschedule
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION vv_schedule_sums_up();
CREATE CONSTRAINT TRIGGER i22_slices_sum_to_the_line AFTER INSERT ON revenue_revenueslice
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION vv_schedule_sums_up();

-- Schedules never change; a slice is released, reversed or canceled once.
CREATE TRIGGER i22_schedule_never_changes BEFORE UPDATE OR DELETE ON revenue_revenueschedule
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('i22_schedule_never_changes');
CREATE TRIGGER i22_slice_is_released_once BEFORE UPDATE ON revenue_revenueslice
    FOR EACH ROW EXECUTE FUNCTION vv_frozen_except('i22_slice_is_released_once',
        'entry_id?', 'reversal_entry_id?', 'canceled_at?');
CREATE TRIGGER i22_slice_is_not_deleted BEFORE DELETE ON revenue_revenueslice
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('i22_slice_is_released_once');

-- I22: revenue is not recognized before the service is delivered.
CREATE FUNCTION vv_slice_is_delivered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT accounting_on FROM ledger_journalentry WHERE id = NEW.entry_id) < NEW.last_on THEN
        RAISE EXCEPTION 'the slice is delivered on % only', NEW.last_on
            USING ERRCODE = 'check_violation', CONSTRAINT = 'i22_revenue_follows_delivery', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER i22_revenue_follows_delivery BEFORE UPDATE OF entry_id ON revenue_revenueslice
    FOR EACH ROW WHEN (OLD.entry_id IS NULL AND NEW.entry_id IS NOT NULL) EXECUTE FUNCTION vv_slice_is_delivered();

CREATE TRIGGER accrual_is_append_only BEFORE UPDATE OR DELETE ON revenue_usageaccrual
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('accrual_is_append_only');
