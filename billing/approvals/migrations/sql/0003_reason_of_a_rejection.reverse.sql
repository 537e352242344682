ALTER TABLE approvals_approvalrequest DROP CONSTRAINT i34_rejection_says_why;
DROP TRIGGER i34_request_never_changes ON approvals_approvalrequest;
CREATE TRIGGER i34_request_never_changes BEFORE UPDATE ON approvals_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION vv_frozen_except('i34_request_never_changes',
        'status', 'decided_by_kind', 'decided_by_id', 'decided_by_label', 'decided_at?', 'executed_at?');
