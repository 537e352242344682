-- Invoices and credit notes share most rules; each function is attached to both.

-- I9: documents are born as drafts and only move forwards.
CREATE FUNCTION vv_document_is_born_a_draft() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a document starts as a draft'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'i9_document_is_born_a_draft', TABLE = TG_TABLE_NAME;
END $$;
CREATE TRIGGER i9_invoice_is_born_a_draft BEFORE INSERT ON invoices_invoice
    FOR EACH ROW WHEN (NEW.status <> 'draft' OR NEW.allocated_minor <> 0 OR NEW.offset_minor <> 0
                       OR NEW.written_off_minor <> 0 OR NEW.credited_minor <> 0)
    EXECUTE FUNCTION vv_document_is_born_a_draft();
CREATE TRIGGER i9_credit_note_is_born_a_draft BEFORE INSERT ON invoices_creditnote
    FOR EACH ROW WHEN (NEW.status <> 'draft' OR NEW.refunded_minor <> 0)
    EXECUTE FUNCTION vv_document_is_born_a_draft();
CREATE TRIGGER i9_invoice_status_moves BEFORE UPDATE OF status ON invoices_invoice
    FOR EACH ROW EXECUTE FUNCTION vv_status_moves('i9_invoice_status_moves', 'draft>finalized', 'finalized>voided');
CREATE TRIGGER i9_credit_note_status_moves BEFORE UPDATE OF status ON invoices_creditnote
    FOR EACH ROW EXECUTE FUNCTION vv_status_moves('i9_credit_note_status_moves', 'draft>finalized');

-- I7: an issued document never changes; only what happens to it afterwards is noted.
CREATE TRIGGER i7_issued_invoice_never_changes BEFORE UPDATE ON invoices_invoice
    FOR EACH ROW WHEN (OLD.status <> 'draft') EXECUTE FUNCTION vv_frozen_except('i7_issued_invoice_never_changes',
        'status', 'voided_at?', 'void_reason', 'allocated_minor', 'offset_minor', 'written_off_minor',
        'credited_minor', 'sent_at?', 'shown_at?', 'exported_at?');
CREATE TRIGGER i7_voided_invoice_never_changes BEFORE UPDATE ON invoices_invoice
    FOR EACH ROW WHEN (OLD.status = 'voided') EXECUTE FUNCTION vv_frozen_except('i7_issued_invoice_never_changes',
        'status', 'sent_at?', 'shown_at?', 'exported_at?');
CREATE TRIGGER i7_issued_invoice_is_not_deleted BEFORE DELETE ON invoices_invoice
    FOR EACH ROW WHEN (OLD.status <> 'draft') EXECUTE FUNCTION vv_append_only('i7_issued_invoice_never_changes');
CREATE TRIGGER i7_issued_credit_note_never_changes BEFORE UPDATE ON invoices_creditnote
    FOR EACH ROW WHEN (OLD.status <> 'draft') EXECUTE FUNCTION vv_frozen_except('i7_issued_credit_note_never_changes',
        'refunded_minor', 'sent_at?', 'shown_at?', 'exported_at?');
CREATE TRIGGER i7_issued_credit_note_is_not_deleted BEFORE DELETE ON invoices_creditnote
    FOR EACH ROW WHEN (OLD.status <> 'draft') EXECUTE FUNCTION vv_append_only('i7_issued_credit_note_never_changes');

-- Arguments: the table of the document, the column that names it.
CREATE FUNCTION vv_parts_of_issued_document() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    document_id bigint;
    document_status text;
BEGIN
    FOREACH document_id IN ARRAY ARRAY[
        CASE WHEN TG_OP <> 'INSERT' THEN (to_jsonb(OLD) ->> TG_ARGV[1])::bigint END,
        CASE WHEN TG_OP <> 'DELETE' THEN (to_jsonb(NEW) ->> TG_ARGV[1])::bigint END
    ] LOOP
        EXECUTE format('SELECT status FROM %I WHERE id = $1', TG_ARGV[0]) INTO document_status USING document_id;
        IF document_status <> 'draft' THEN
            RAISE EXCEPTION 'the lines and taxes of an issued document never change'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'i7_parts_of_issued_document_never_change',
                      TABLE = TG_TABLE_NAME;
        END IF;
    END LOOP;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER i7_issued_invoice_line_never_changes BEFORE INSERT OR UPDATE OR DELETE ON invoices_invoiceline
    FOR EACH ROW EXECUTE FUNCTION vv_parts_of_issued_document('invoices_invoice', 'invoice_id');
CREATE TRIGGER i7_issued_invoice_tax_never_changes BEFORE INSERT OR UPDATE OR DELETE ON invoices_invoicetax
    FOR EACH ROW EXECUTE FUNCTION vv_parts_of_issued_document('invoices_invoice', 'invoice_id');
CREATE TRIGGER i7_issued_credit_note_line_never_changes BEFORE INSERT OR UPDATE OR DELETE ON invoices_creditnoteline
    FOR EACH ROW EXECUTE FUNCTION vv_parts_of_issued_document('invoices_creditnote', 'credit_note_id');
CREATE TRIGGER i7_issued_credit_note_tax_never_changes BEFORE INSERT OR UPDATE OR DELETE ON invoices_creditnotetax
    FOR EACH ROW EXECUTE FUNCTION vv_parts_of_issued_document('invoices_creditnote', 'credit_note_id');

-- I6: when a document is issued its lines sum to the net amount, and so do the bases of its tax table; the taxes
-- of the table sum to the tax. I8: its number is the one just taken from the counter of its series and year.
-- Arguments: the tables of lines and of taxes, the column in them that names the document, the type of its series.
CREATE FUNCTION vv_document_is_issued() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    line_count bigint;
    line_sum numeric;
    base_sum numeric;
    tax_sum numeric;
BEGIN
    EXECUTE format('SELECT count(*), coalesce(sum(amount_minor), 0) FROM %I WHERE %I = $1', TG_ARGV[0], TG_ARGV[2])
        INTO line_count, line_sum USING NEW.id;
    EXECUTE format('SELECT coalesce(sum(base_minor), 0), coalesce(sum(tax_minor), 0) FROM %I WHERE %I = $1',
                   TG_ARGV[1], TG_ARGV[2])
        INTO base_sum, tax_sum USING NEW.id;
    IF line_count = 0 OR line_sum <> NEW.subtotal_minor OR base_sum <> NEW.subtotal_minor
       OR tax_sum <> NEW.tax_minor THEN
        RAISE EXCEPTION 'the document does not add up: % lines of %, bases of %, net %; taxes of %, tax %',
            line_count, line_sum, base_sum, NEW.subtotal_minor, tax_sum, NEW.tax_minor
            USING ERRCODE = 'check_violation', CONSTRAINT = 'i6_document_adds_up', TABLE = TG_TABLE_NAME;
    END IF;
    IF NOT EXISTS (
        SELECT FROM customers_numbercounter counter JOIN customers_numberseries series ON series.id = counter.series_id
        WHERE series.id = NEW.series_id AND series.legal_entity_id = NEW.legal_entity_id
          AND series.document_type = TG_ARGV[3] AND counter.year = NEW.series_year
          AND counter.last_number = NEW.series_number AND counter.last_issued_on = NEW.issued_on
          AND extract(year FROM NEW.issued_on) = NEW.series_year
    ) THEN
        RAISE EXCEPTION 'number % was not taken from its series', NEW.number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'i8_number_is_taken_from_its_series', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER i6_invoice_adds_up BEFORE UPDATE OF status ON invoices_invoice
    FOR EACH ROW WHEN (OLD.status = 'draft' AND NEW.status <> 'draft')
    EXECUTE FUNCTION vv_document_is_issued('invoices_invoiceline', 'invoices_invoicetax', 'invoice_id', 'invoice');
CREATE TRIGGER i6_credit_note_adds_up BEFORE UPDATE OF status ON invoices_creditnote
    FOR EACH ROW WHEN (OLD.status = 'draft' AND NEW.status <> 'draft')
    EXECUTE FUNCTION vv_document_is_issued('invoices_creditnoteline', 'invoices_creditnotetax', 'credit_note_id',
                                           'credit_note');

-- I8: at commit every number that the counter passed stands on a document: no gaps.
CREATE FUNCTION vv_numbers_are_used() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    first_number bigint := 0;
    used bigint;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        first_number := OLD.last_number;
    END IF;
    SELECT count(*) INTO used FROM (
        SELECT series_number FROM invoices_invoice
        WHERE series_id = NEW.series_id AND series_year = NEW.year
          AND series_number > first_number AND series_number <= NEW.last_number
        UNION ALL
        SELECT series_number FROM invoices_creditnote
        WHERE series_id = NEW.series_id AND series_year = NEW.year
          AND series_number > first_number AND series_number <= NEW.last_number
    ) AS numbers;
    IF used <> NEW.last_number - first_number THEN
        RAISE EXCEPTION 'numbers % to % of the series are not all on documents', first_number + 1, NEW.last_number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'i8_numbers_have_no_gaps', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER i8_numbers_have_no_gaps AFTER INSERT OR UPDATE ON customers_numbercounter
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION vv_numbers_are_used();

-- I9: only an invoice that nobody has seen and nobody has paid or credited is voided.
CREATE FUNCTION vv_void_is_unseen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'invoice % was sent, shown, exported, paid or credited; issue a credit note instead', OLD.number
        USING ERRCODE = 'check_violation', CONSTRAINT = 'i9_only_an_unseen_invoice_is_voided', TABLE = TG_TABLE_NAME;
END $$;
CREATE TRIGGER i9_only_an_unseen_invoice_is_voided BEFORE UPDATE OF status ON invoices_invoice
    FOR EACH ROW WHEN (NEW.status = 'voided' AND OLD.status <> 'voided' AND (
        OLD.sent_at IS NOT NULL OR OLD.shown_at IS NOT NULL OR OLD.exported_at IS NOT NULL
        OR OLD.allocated_minor <> 0 OR OLD.credited_minor <> 0 OR OLD.written_off_minor <> 0))
    EXECUTE FUNCTION vv_void_is_unseen();

-- I29: every issued document has its activity row by the end of its transaction.
-- Argument: the name of the event.
CREATE FUNCTION vv_issue_is_recorded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM activity_activity WHERE object_id = NEW.public_id AND name = TG_ARGV[0]) THEN
        RAISE EXCEPTION 'issuing % left no % in the activity', NEW.public_id, TG_ARGV[0]
            USING ERRCODE = 'check_violation', CONSTRAINT = 'i29_issue_is_recorded', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER i29_issue_is_recorded AFTER UPDATE OF status ON invoices_invoice
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.status = 'draft' AND NEW.status = 'finalized')
    EXECUTE FUNCTION vv_issue_is_recorded('invoice.finalized');
CREATE CONSTRAINT TRIGGER i29_issue_is_recorded AFTER UPDATE OF status ON invoices_creditnote
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.status = 'draft' AND NEW.status = 'finalized')
    EXECUTE FUNCTION vv_issue_is_recorded('credit_note.finalized');

-- I17: what credit notes take off an invoice is counted on it, where check constraints bound it.
CREATE FUNCTION vv_credit_note_counts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE invoices_invoice
        SET credited_minor = credited_minor + NEW.total_minor, offset_minor = offset_minor + NEW.offset_minor
        WHERE id = NEW.invoice_id AND status = 'finalized' AND currency = NEW.currency
          AND legal_entity_id = NEW.legal_entity_id AND customer_id = NEW.customer_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a credit note credits a finalized invoice of the same customer, entity and currency'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'i17_credit_note_fits_its_invoice', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER i17_credit_note_counts AFTER UPDATE OF status ON invoices_creditnote
    FOR EACH ROW WHEN (OLD.status = 'draft' AND NEW.status = 'finalized') EXECUTE FUNCTION vv_credit_note_counts();

-- I17, I18: what is paid, credited and refunded is counted by the triggers of those facts, never set by hand.
CREATE TRIGGER i17_invoice_counters_follow_their_facts BEFORE UPDATE ON invoices_invoice
    FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND
        (OLD.allocated_minor, OLD.offset_minor, OLD.credited_minor)
        IS DISTINCT FROM (NEW.allocated_minor, NEW.offset_minor, NEW.credited_minor))
    EXECUTE FUNCTION vv_counter_follows_its_facts('i17_invoice_counters_follow_their_facts');
CREATE TRIGGER i18_credit_note_counter_follows_its_refunds BEFORE UPDATE ON invoices_creditnote
    FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND OLD.refunded_minor <> NEW.refunded_minor)
    EXECUTE FUNCTION vv_counter_follows_its_facts('i18_credit_note_counter_follows_its_refunds');

-- I34: credit notes and bill runs go ahead only with an approval.
CREATE TRIGGER i34_credit_note_is_approved BEFORE UPDATE OF status ON invoices_creditnote
    FOR EACH ROW WHEN (NEW.status = 'finalized') EXECUTE FUNCTION vv_requires_approval(
        'credit_note', 'total_minor', 'invoices_invoice', 'invoice_id');
CREATE TRIGGER i34_bill_run_is_approved BEFORE UPDATE OF status ON invoices_billrun
    FOR EACH ROW WHEN (NEW.status = 'approved') EXECUTE FUNCTION vv_requires_approval(
        'bill_run', '', 'invoices_billrun', 'id');
CREATE TRIGGER bill_run_status_moves BEFORE UPDATE OF status ON invoices_billrun
    FOR EACH ROW EXECUTE FUNCTION vv_status_moves('bill_run_status_moves',
        'previewed>generating', 'generating>in_review', 'in_review>approved', 'approved>finalizing',
        'finalizing>completed', 'previewed>canceled', 'generating>canceled', 'in_review>canceled', 'approved>canceled');

-- I7: stored bytes never change, and are not deleted before their time.
CREATE TRIGGER i7_stored_document_never_changes BEFORE UPDATE ON invoices_storeddocument
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('i7_stored_document_never_changes');
CREATE TRIGGER i7_stored_document_is_retained BEFORE DELETE ON invoices_storeddocument
    FOR EACH ROW WHEN (OLD.retain_until > CURRENT_DATE) EXECUTE FUNCTION vv_append_only('i7_stored_document_is_retained');
CREATE TRIGGER i7_stored_document_is_not_truncated BEFORE TRUNCATE ON invoices_storeddocument
    FOR EACH STATEMENT EXECUTE FUNCTION vv_append_only('i7_stored_document_is_retained');
