-- I6: what the allowances of a line take off is their sum, and each of them is above zero. Together with the rule that
-- the lines of a document sum to its net amount, gross less allowances is what is taxed.
CREATE FUNCTION vv_allowances_minor(allowances jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN bool_and(coalesce((one ->> 'amount_minor')::bigint, 0) > 0) IS FALSE THEN -1
                ELSE coalesce(sum((one ->> 'amount_minor')::bigint), 0) END::bigint
    FROM jsonb_array_elements(allowances) one
$$;
ALTER TABLE invoices_invoiceline ADD CONSTRAINT i6_invoice_line_allowances_add_up
    CHECK (allowance_minor >= 0 AND allowance_minor = vv_allowances_minor(allowances));
ALTER TABLE invoices_creditnoteline ADD CONSTRAINT i6_credit_note_line_allowances_add_up
    CHECK (allowance_minor >= 0 AND allowance_minor = vv_allowances_minor(allowances));
