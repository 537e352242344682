-- I34: a request is born undecided, what was asked for never changes, and a decision is made once.
CREATE FUNCTION vv_request_is_born_undecided() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a request for approval starts undecided'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'i34_request_is_born_undecided', TABLE = TG_TABLE_NAME;
END $$;
CREATE TRIGGER i34_request_is_born_undecided BEFORE INSERT ON approvals_approvalrequest
    FOR EACH ROW WHEN (NEW.status <> 'requested' OR NEW.executed_at IS NOT NULL)
    EXECUTE FUNCTION vv_request_is_born_undecided();
CREATE TRIGGER i34_request_is_decided_once BEFORE UPDATE ON approvals_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION vv_status_moves('i34_request_is_decided_once',
        'requested>approved', 'requested>rejected');
CREATE TRIGGER i34_request_never_changes BEFORE UPDATE ON approvals_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION vv_frozen_except('i34_request_never_changes',
        'status', 'decided_by_kind', 'decided_by_id', 'decided_by_label', 'decided_at?', 'executed_at?');
CREATE TRIGGER i34_decision_never_changes BEFORE UPDATE ON approvals_approvalrequest
    FOR EACH ROW WHEN (OLD.status <> 'requested')
    EXECUTE FUNCTION vv_frozen_except('i34_decision_never_changes', 'executed_at?');
CREATE TRIGGER i34_request_is_not_deleted BEFORE DELETE ON approvals_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('i34_request_never_changes');

-- I34: nothing is executed on a request that nobody approved, or on one for another object or a smaller amount.
-- Arguments: the action, the column of the executing row that holds the amount (or an empty text), then in pairs the
-- tables and columns by which the executing row names what was approved.
CREATE FUNCTION vv_requires_approval() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    approval approvals_approvalrequest;
    executing jsonb := to_jsonb(NEW);
    object_id text;
    covers_object boolean := false;
BEGIN
    SELECT * INTO approval FROM approvals_approvalrequest WHERE id = NEW.approval_id;
    FOR pair IN 1 .. (TG_NARGS - 2) / 2 LOOP
        EXECUTE format('SELECT public_id FROM %I WHERE id = $1', TG_ARGV[2 * pair])
            INTO object_id USING (executing ->> TG_ARGV[2 * pair + 1])::bigint;
        covers_object := covers_object OR coalesce(object_id = approval.object_id, false);
    END LOOP;
    IF NOT covers_object OR approval.status <> 'approved' OR approval.action <> TG_ARGV[0]
       OR (TG_ARGV[1] <> '' AND (executing ->> TG_ARGV[1])::bigint > approval.amount_minor)
       OR (TG_ARGV[1] <> '' AND executing ->> 'currency' <> approval.currency) THEN
        RAISE EXCEPTION 'this % has no approval that covers it', TG_TABLE_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = 'i34_no_execution_without_approval', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
