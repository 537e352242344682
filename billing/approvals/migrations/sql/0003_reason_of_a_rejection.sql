-- A decision now comes with its reason, written once with the decision.
DROP TRIGGER i34_request_never_changes ON approvals_approvalrequest;
CREATE TRIGGER i34_request_never_changes BEFORE UPDATE ON approvals_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION vv_frozen_except('i34_request_never_changes',
        'status', 'decided_by_kind', 'decided_by_id', 'decided_by_label', 'decided_at?', 'executed_at?',
        'decision_reason');

-- A rejection says why. Rejections from before this column have no reason and never change: they are not checked.
ALTER TABLE approvals_approvalrequest ADD CONSTRAINT i34_rejection_says_why
    CHECK (status <> 'rejected' OR decision_reason <> '') NOT VALID;
