-- What a mail was about never changes; only what becomes of it is noted.
CREATE TRIGGER payment_mail_keeps_its_terms BEFORE UPDATE ON payments_paymentmail
    FOR EACH ROW EXECUTE FUNCTION vv_frozen_except('payment_mail_keeps_its_terms',
        'status', 'attempts', 'next_attempt_at', 'error', 'sent_at?');
CREATE TRIGGER payment_mail_is_not_deleted BEFORE DELETE ON payments_paymentmail
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('payment_mail_keeps_its_terms');
CREATE TRIGGER payment_mail_status_moves BEFORE UPDATE OF status ON payments_paymentmail
    FOR EACH ROW EXECUTE FUNCTION vv_status_moves('payment_mail_status_moves', 'queued>sent', 'queued>failed');
