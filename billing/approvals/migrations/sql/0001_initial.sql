-- I34: what was asked for never changes, and a decision is made once.
CREATE TRIGGER i34_request_is_decided_once BEFORE UPDATE ON approvals_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION vv_status_moves('i34_request_is_decided_once',
        'requested>approved', 'requested>rejected');
CREATE TRIGGER i34_request_never_changes BEFORE UPDATE ON approvals_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION vv_frozen_except('i34_request_never_changes',
        'status', 'decided_by_kind', 'decided_by_id', 'decided_by_label', 'decided_at?', 'executed_at?');
CREATE TRIGGER i34_request_is_not_deleted BEFORE DELETE ON approvals_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('i34_request_never_changes');

-- I34: nothing is executed on a request that nobody approved, or on one for another object or a smaller amount.
-- Arguments: the action, then the column of the executing row that holds the amount (or an empty text).
CREATE FUNCTION vv_requires_approval() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    approval approvals_approvalrequest;
    executing jsonb := to_jsonb(NEW);
BEGIN
    SELECT * INTO approval FROM approvals_approvalrequest WHERE id = NEW.approval_id;
    IF NOT FOUND OR approval.status <> 'approved' OR approval.action <> TG_ARGV[0]
       OR (TG_ARGV[1] <> '' AND (executing ->> TG_ARGV[1])::bigint > approval.amount_minor)
       OR (TG_ARGV[1] <> '' AND executing ->> 'currency' <> approval.currency) THEN
        RAISE EXCEPTION 'this % has no approval that covers it', TG_TABLE_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = 'i34_no_execution_without_approval', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
