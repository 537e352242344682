-- An approval is withdrawn until finalizing starts.
DROP TRIGGER bill_run_status_moves ON invoices_billrun;
CREATE TRIGGER bill_run_status_moves BEFORE UPDATE OF status ON invoices_billrun
    FOR EACH ROW EXECUTE FUNCTION vv_status_moves('bill_run_status_moves',
        'previewed>generating', 'generating>in_review', 'in_review>approved', 'approved>in_review',
        'approved>finalizing', 'finalizing>completed', 'previewed>canceled', 'generating>canceled',
        'in_review>canceled', 'approved>canceled');

-- A customer that is finalized in a run stays so; whoever is left out comes back by being drafted again, or with the
-- draft it had.
CREATE TRIGGER bill_run_customer_status_moves BEFORE UPDATE OF status ON invoices_billruncustomer
    FOR EACH ROW EXECUTE FUNCTION vv_status_moves('bill_run_customer_status_moves',
        'pending>drafted', 'pending>parked', 'pending>held', 'drafted>finalized', 'drafted>parked', 'drafted>held',
        'drafted>excluded', 'drafted>pending', 'held>drafted', 'held>pending', 'held>excluded', 'parked>pending',
        'parked>drafted', 'parked>excluded', 'parked>held', 'excluded>pending');

-- What a hold says never changes; it is released once.
CREATE TRIGGER hold_never_changes BEFORE UPDATE ON invoices_billinghold
    FOR EACH ROW EXECUTE FUNCTION vv_frozen_except('hold_never_changes', 'released_at?', 'released_by_label');
CREATE TRIGGER released_hold_never_changes BEFORE UPDATE ON invoices_billinghold
    FOR EACH ROW WHEN (OLD.released_at IS NOT NULL) EXECUTE FUNCTION vv_append_only('hold_never_changes');
CREATE TRIGGER hold_is_not_deleted BEFORE DELETE ON invoices_billinghold
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('hold_never_changes');

-- Nothing is issued to a customer while a hold on its billing is in force. Holding locks the customer, as issuing
-- does, so that neither misses the other.
CREATE FUNCTION vv_no_issue_on_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM invoices_billinghold
        WHERE customer_id = NEW.customer_id AND released_at IS NULL
          AND (until_at IS NULL OR until_at > NEW.finalized_at)
    ) THEN
        RAISE EXCEPTION 'the billing of this customer is on hold'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'no_issue_on_hold', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER no_issue_on_hold BEFORE UPDATE OF status ON invoices_invoice
    FOR EACH ROW WHEN (OLD.status = 'draft' AND NEW.status = 'finalized')
    EXECUTE FUNCTION vv_no_issue_on_hold();

-- Mails so far: the first one to each recipient is the one with which the document was sent.
UPDATE invoices_documentmail SET is_first = true WHERE id IN (
    SELECT min(id) FROM invoices_documentmail GROUP BY invoice_id, credit_note_id, recipient
);
UPDATE invoices_billrun run SET customer_count = (
    SELECT count(*) FROM invoices_billruncustomer WHERE run_id = run.id
);
