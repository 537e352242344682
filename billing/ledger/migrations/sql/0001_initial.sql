-- I3: entry, account and posting agree on currency and legal entity.
ALTER TABLE ledger_account ADD CONSTRAINT account_identity UNIQUE (id, currency, legal_entity_id);
ALTER TABLE ledger_journalentry ADD CONSTRAINT journal_entry_identity UNIQUE (id, currency, legal_entity_id);
ALTER TABLE ledger_accountingperiod ADD CONSTRAINT accounting_period_identity UNIQUE (id, legal_entity_id);
ALTER TABLE ledger_posting
    ADD CONSTRAINT i3_posting_has_the_currency_of_its_account
        FOREIGN KEY (account_id, currency, legal_entity_id) REFERENCES ledger_account (id, currency, legal_entity_id),
    ADD CONSTRAINT i3_posting_has_the_currency_of_its_entry
        FOREIGN KEY (entry_id, currency, legal_entity_id) REFERENCES ledger_journalentry (id, currency, legal_entity_id);
ALTER TABLE ledger_journalentry
    ADD CONSTRAINT entry_lies_in_a_period_of_its_entity
        FOREIGN KEY (period_id, legal_entity_id) REFERENCES ledger_accountingperiod (id, legal_entity_id);

-- Accounting periods of one entity never overlap, keep their days, and only move towards closed.
ALTER TABLE ledger_accountingperiod ADD CONSTRAINT accounting_periods_do_not_overlap
    EXCLUDE USING gist (
        int8range(legal_entity_id, legal_entity_id, '[]') WITH &&, daterange(start_on, end_on) WITH &&
    );
CREATE TRIGGER i23_period_moves_towards_closed BEFORE UPDATE ON ledger_accountingperiod
    FOR EACH ROW EXECUTE FUNCTION vv_status_moves('i23_period_moves_towards_closed',
        'open>soft_closed', 'soft_closed>open', 'open>closed', 'soft_closed>closed');
CREATE TRIGGER i23_period_keeps_its_days BEFORE UPDATE ON ledger_accountingperiod
    FOR EACH ROW EXECUTE FUNCTION vv_frozen_except('i23_period_keeps_its_days', 'status', 'closed_at?');
CREATE TRIGGER i23_closed_period_never_changes BEFORE UPDATE OR DELETE ON ledger_accountingperiod
    FOR EACH ROW WHEN (OLD.status = 'closed') EXECUTE FUNCTION vv_append_only('i23_closed_period_never_changes');

-- I23: an entry is dated in an open period of its legal entity. The share lock makes a concurrent close wait.
-- A soft-closed period still takes what closing it needs: recognition, accrual and revaluation.
-- The entry remembers the transaction that wrote it, so that no posting is added to it later (I4).
ALTER TABLE ledger_journalentry ADD COLUMN written_in xid8;
CREATE FUNCTION vv_journal_entry_period() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    accounting_period ledger_accountingperiod;
BEGIN
    SELECT * INTO accounting_period FROM ledger_accountingperiod WHERE id = NEW.period_id FOR SHARE;
    IF NEW.accounting_on < accounting_period.start_on OR NEW.accounting_on >= accounting_period.end_on THEN
        RAISE EXCEPTION 'the entry is dated % but its period runs from % to before %',
            NEW.accounting_on, accounting_period.start_on, accounting_period.end_on
            USING ERRCODE = 'check_violation', CONSTRAINT = 'i23_entry_is_dated_in_its_period', TABLE = TG_TABLE_NAME;
    END IF;
    IF accounting_period.status = 'closed' OR accounting_period.status = 'soft_closed'
       AND NEW.source_type NOT IN ('revenue_schedule_line', 'usage_accrual', 'fx_revaluation') THEN
        RAISE EXCEPTION 'the accounting period from % is %', accounting_period.start_on, accounting_period.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'i23_closed_period_does_not_move', TABLE = TG_TABLE_NAME;
    END IF;
    NEW.written_in := pg_current_xact_id();
    RETURN NEW;
END $$;
CREATE TRIGGER i23_entry_is_dated_in_an_open_period BEFORE INSERT ON ledger_journalentry
    FOR EACH ROW EXECUTE FUNCTION vv_journal_entry_period();

CREATE FUNCTION vv_posting_is_written_with_its_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM inserted JOIN ledger_journalentry entry ON entry.id = inserted.entry_id
        WHERE entry.written_in <> pg_current_xact_id()
    ) THEN
        RAISE EXCEPTION 'postings are written with their entry and never added later'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'i4_entry_is_written_at_once', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER i4_entry_is_written_at_once AFTER INSERT ON ledger_posting
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION vv_posting_is_written_with_its_entry();

-- I1, I2: at commit every entry has two postings or more and sums to zero in both currencies.
-- Postings come only in the transaction of their entry (I4), so one check per entry is enough.
CREATE FUNCTION vv_entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    posting_count bigint;
    document_sum numeric;
    accounting_sum numeric;
BEGIN
    SELECT count(*), coalesce(sum(amount_minor), 0), coalesce(sum(accounting_amount_minor), 0)
        INTO posting_count, document_sum, accounting_sum
        FROM ledger_posting WHERE entry_id = NEW.id;
    IF document_sum <> 0 OR accounting_sum <> 0 THEN
        RAISE EXCEPTION 'journal entry % does not balance: % in document currency, % in accounting currency',
            NEW.public_id, document_sum, accounting_sum
            USING ERRCODE = 'check_violation', CONSTRAINT = 'i1_entry_balances', TABLE = TG_TABLE_NAME;
    END IF;
    IF posting_count < 2 THEN
        RAISE EXCEPTION 'journal entry % has fewer than two postings', NEW.public_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'i2_entry_has_two_postings', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER i1_entry_balances AFTER INSERT ON ledger_journalentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION vv_entry_balances();

-- I4: entries and postings are append-only.
CREATE TRIGGER i4_entry_is_append_only BEFORE UPDATE OR DELETE ON ledger_journalentry
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('i4_entry_is_append_only');
CREATE TRIGGER i4_entry_is_not_truncated BEFORE TRUNCATE ON ledger_journalentry
    FOR EACH STATEMENT EXECUTE FUNCTION vv_append_only('i4_entry_is_append_only');
CREATE TRIGGER i4_posting_is_append_only BEFORE UPDATE OR DELETE ON ledger_posting
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('i4_posting_is_append_only');
CREATE TRIGGER i4_posting_is_not_truncated BEFORE TRUNCATE ON ledger_posting
    FOR EACH STATEMENT EXECUTE FUNCTION vv_append_only('i4_posting_is_append_only');

-- An account that has been posted to keeps its role, currency and owner; only its general ledger code may change.
CREATE TRIGGER account_keeps_its_identity BEFORE UPDATE ON ledger_account
    FOR EACH ROW EXECUTE FUNCTION vv_frozen_except('account_keeps_its_identity', 'gl_code');
