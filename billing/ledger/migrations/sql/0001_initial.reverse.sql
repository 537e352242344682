DROP TRIGGER account_keeps_its_identity ON ledger_account;
DROP TRIGGER i4_posting_is_not_truncated ON ledger_posting;
DROP TRIGGER i4_posting_is_append_only ON ledger_posting;
DROP TRIGGER i4_entry_is_not_truncated ON ledger_journalentry;
DROP TRIGGER i4_entry_is_append_only ON ledger_journalentry;
DROP TRIGGER i1_entry_balances ON ledger_journalentry;
DROP FUNCTION vv_entry_balances();
DROP TRIGGER i4_entry_is_written_at_once ON ledger_posting;
DROP FUNCTION vv_posting_is_written_with_its_entry();
DROP TRIGGER i23_entry_is_dated_in_an_open_period ON ledger_journalentry;
DROP FUNCTION vv_journal_entry_period();
ALTER TABLE ledger_journalentry DROP COLUMN written_in;
DROP TRIGGER i23_closed_period_never_changes ON ledger_accountingperiod;
DROP TRIGGER i23_period_keeps_its_days ON ledger_accountingperiod;
DROP TRIGGER i23_period_moves_towards_closed ON ledger_accountingperiod;
ALTER TABLE ledger_accountingperiod DROP CONSTRAINT accounting_periods_do_not_overlap;
ALTER TABLE ledger_journalentry DROP CONSTRAINT entry_lies_in_a_period_of_its_entity;
ALTER TABLE ledger_posting
    DROP CONSTRAINT i3_posting_has_the_currency_of_its_entry,
    DROP CONSTRAINT i3_posting_has_the_currency_of_its_account;
ALTER TABLE ledger_accountingperiod DROP CONSTRAINT accounting_period_identity;
ALTER TABLE ledger_journalentry DROP CONSTRAINT journal_entry_identity;
ALTER TABLE ledger_account DROP CONSTRAINT account_identity;
