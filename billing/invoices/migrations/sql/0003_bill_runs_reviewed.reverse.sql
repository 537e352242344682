DROP TRIGGER no_issue_on_hold ON invoices_invoice;
DROP FUNCTION vv_no_issue_on_hold();
DROP TRIGGER hold_is_not_deleted ON invoices_billinghold;
DROP TRIGGER released_hold_never_changes ON invoices_billinghold;
DROP TRIGGER hold_never_changes ON invoices_billinghold;
DROP TRIGGER bill_run_customer_status_moves ON invoices_billruncustomer;
DROP TRIGGER bill_run_status_moves ON invoices_billrun;
CREATE TRIGGER bill_run_status_moves BEFORE UPDATE OF status ON invoices_billrun
    FOR EACH ROW EXECUTE FUNCTION vv_status_moves('bill_run_status_moves',
        'previewed>generating', 'generating>in_review', 'in_review>approved', 'approved>finalizing',
        'finalizing>completed', 'previewed>canceled', 'generating>canceled', 'in_review>canceled', 'approved>canceled');
