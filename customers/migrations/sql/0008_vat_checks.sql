-- An answer of the register is a fact: it is added, and never changed or deleted.
CREATE TRIGGER vat_check_never_changes BEFORE UPDATE OR DELETE ON customers_vatcheck
    FOR EACH ROW EXECUTE FUNCTION vv_append_only('vat_check_never_changes');
