-- Payments are never deleted, and what they were made for never changes.
CREATE TRIGGER payment_keeps_its_terms BEFORE UPDATE ON payments_payment
    FOR EACH ROW EXECUTE FUNCTION vv_frozen_except('payment_keeps_its_terms',
        'status', 'gateway_ref', 'failure_code', 'failure_message', 'received_on?', 'allocated_minor',
        'refunded_minor', 'unapplied_refunded_minor', 'finished_at', 'check_at', 'check_count');
CREATE TRIGGER i18_payment_counters_follow_their_facts BEFORE UPDATE ON payments_payment
    FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND
        (OLD.allocated_minor, OLD.refunded_minor, OLD.unapplied_refunded_minor)
        IS DISTINCT FROM (NEW.allocated_minor, NEW.refunded_minor, NEW.unapplied_refunded_minor))
    EXECUTE FUNCTION vv_counter_follows_its_facts('i18_payment_counters_follow_their_facts');
CREATE TRIGGER payment_is_not_deleted BEFORE DELETE ON payments_payment
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('payment_keeps_its_terms');
CREATE FUNCTION vv_money_is_born_untouched() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a new row of % starts with nothing done and nothing counted on it', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_ARGV[0], TABLE = TG_TABLE_NAME;
END $$;
CREATE TRIGGER i18_payment_is_born_untouched BEFORE INSERT ON payments_payment
    FOR EACH ROW WHEN (NEW.allocated_minor <> 0 OR NEW.refunded_minor <> 0 OR NEW.unapplied_refunded_minor <> 0)
    EXECUTE FUNCTION vv_money_is_born_untouched('i18_payment_is_born_untouched');
CREATE TRIGGER i19_refund_is_born_pending BEFORE INSERT ON payments_refund
    FOR EACH ROW WHEN (NEW.status <> 'pending')
    EXECUTE FUNCTION vv_money_is_born_untouched('i19_refund_is_born_pending');
CREATE TRIGGER payment_status_moves BEFORE UPDATE OF status ON payments_payment
    FOR EACH ROW EXECUTE FUNCTION vv_status_moves('payment_status_moves',
        'initiated>pending', 'initiated>requires_action', 'initiated>processing', 'initiated>succeeded',
        'initiated>failed', 'initiated>canceled', 'initiated>unknown',
        'pending>requires_action', 'pending>processing', 'pending>succeeded', 'pending>failed', 'pending>canceled',
        'pending>unknown',
        'requires_action>processing', 'requires_action>succeeded', 'requires_action>failed',
        'requires_action>canceled', 'requires_action>unknown',
        'processing>succeeded', 'processing>failed', 'processing>canceled', 'processing>unknown',
        'unknown>pending', 'unknown>requires_action', 'unknown>processing', 'unknown>succeeded', 'unknown>failed',
        'unknown>canceled',
        'succeeded>partially_refunded', 'succeeded>refunded', 'succeeded>returned',
        'partially_refunded>refunded', 'partially_refunded>returned',
        'partially_refunded>succeeded', 'refunded>partially_refunded', 'refunded>succeeded');
CREATE TRIGGER i34_manual_payment_is_approved BEFORE INSERT ON payments_payment
    FOR EACH ROW WHEN (NEW.kind = 'manual')
    EXECUTE FUNCTION vv_requires_approval(
        'manual_payment', 'amount_minor', 'invoices_invoice', 'invoice_id', 'customers_customer', 'customer_id');

-- Allocations are append-only, and count on the payment and the invoice, where check constraints bound them
-- (I17, I18).
CREATE TRIGGER allocation_is_append_only BEFORE UPDATE OR DELETE ON payments_paymentallocation
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('allocation_is_append_only');
CREATE TRIGGER allocation_is_not_truncated BEFORE TRUNCATE ON payments_paymentallocation
    FOR EACH STATEMENT EXECUTE FUNCTION vv_append_only('allocation_is_append_only');
CREATE FUNCTION vv_allocation_counts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.reverses_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM payments_paymentallocation original
        WHERE original.id = NEW.reverses_id AND original.payment_id = NEW.payment_id
          AND original.invoice_id = NEW.invoice_id AND original.amount_minor = -NEW.amount_minor
    ) THEN
        RAISE EXCEPTION 'a reversal takes back exactly what was allocated'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reversal_mirrors_its_allocation', TABLE = TG_TABLE_NAME;
    END IF;
    IF NOT EXISTS (
        SELECT FROM payments_payment payment JOIN invoices_invoice invoice ON invoice.id = NEW.invoice_id
        WHERE payment.id = NEW.payment_id AND payment.currency = invoice.currency
          AND payment.legal_entity_id = invoice.legal_entity_id AND invoice.status = 'finalized'
          AND payment.status IN ('succeeded', 'partially_refunded', 'refunded', 'returned')
    ) THEN
        RAISE EXCEPTION 'received money is allocated to a finalized invoice of the same entity and currency'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'i18_allocation_fits_payment_and_invoice',
                  TABLE = TG_TABLE_NAME;
    END IF;
    UPDATE invoices_invoice SET allocated_minor = allocated_minor + NEW.amount_minor WHERE id = NEW.invoice_id;
    UPDATE payments_payment SET allocated_minor = allocated_minor + NEW.amount_minor WHERE id = NEW.payment_id;
    RETURN NULL;
END $$;
CREATE TRIGGER i18_allocation_counts AFTER INSERT ON payments_paymentallocation
    FOR EACH ROW EXECUTE FUNCTION vv_allocation_counts();

-- Refunds need an approval, never change but for their outcome, and count on payment and credit note (I18, I19).
CREATE TRIGGER i34_refund_is_approved BEFORE INSERT ON payments_refund
    FOR EACH ROW EXECUTE FUNCTION vv_requires_approval(
        'refund', 'amount_minor', 'payments_payment', 'payment_id');
CREATE TRIGGER refund_keeps_its_terms BEFORE UPDATE ON payments_refund
    FOR EACH ROW EXECUTE FUNCTION vv_frozen_except('refund_keeps_its_terms',
        'status', 'gateway_ref', 'failure_message', 'finished_at?');
CREATE TRIGGER refund_is_not_deleted BEFORE DELETE ON payments_refund
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('refund_keeps_its_terms');
CREATE TRIGGER refund_status_moves BEFORE UPDATE OF status ON payments_refund
    FOR EACH ROW EXECUTE FUNCTION vv_status_moves('refund_status_moves',
        'pending>succeeded', 'pending>failed', 'pending>canceled');
CREATE FUNCTION vv_refund_counts() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    change bigint := CASE WHEN TG_OP = 'INSERT' THEN NEW.amount_minor ELSE -NEW.amount_minor END;
BEGIN
    UPDATE payments_payment
        SET refunded_minor = refunded_minor + change,
            unapplied_refunded_minor = unapplied_refunded_minor
                + CASE WHEN NEW.credit_note_id IS NULL THEN change ELSE 0 END
        WHERE id = NEW.payment_id AND currency = NEW.currency
          AND status IN ('succeeded', 'partially_refunded', 'refunded');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'only received money is refunded, in its own currency'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'i19_refund_fits_its_payment', TABLE = TG_TABLE_NAME;
    END IF;
    UPDATE invoices_creditnote SET refunded_minor = refunded_minor + change
        WHERE id = NEW.credit_note_id AND status = 'finalized' AND currency = NEW.currency;
    IF NOT FOUND AND NEW.credit_note_id IS NOT NULL THEN
        RAISE EXCEPTION 'only an issued credit note is refunded, in its own currency'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'i18_refund_fits_its_credit_note', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER i19_refund_counts AFTER INSERT ON payments_refund
    FOR EACH ROW EXECUTE FUNCTION vv_refund_counts();
CREATE TRIGGER i19_refund_counts_back AFTER UPDATE OF status ON payments_refund
    FOR EACH ROW WHEN (OLD.status = 'pending' AND NEW.status IN ('failed', 'canceled'))
    EXECUTE FUNCTION vv_refund_counts();
