"""The SQL of a batch of invoices: who is billed, with which lines, what is booked. Parameters are named."""
# ruff: noqa: S608 - the text is put together from constants of this package

from valueverse.generator.customers import by_card
from valueverse.generator.inserting import next_id, public_id

PREPARE = """
CREATE TEMP TABLE sample (sample int PRIMARY KEY, invoice jsonb, tax jsonb, tax_label text, document text);
CREATE TEMP TABLE sample_line (sample int, position int, line jsonb);
CREATE FUNCTION pg_temp.issue(series bigint, in_year int, on_day date, issue_at timestamptz, with_prefix text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    one record;
BEGIN
    -- As the services do it: a number is taken, then its invoice is issued, one after the other.
    FOR one IN SELECT * FROM batch ORDER BY series_number LOOP
        UPDATE customers_numbercounter SET last_number = one.series_number, last_issued_on = on_day
            WHERE series_id = series AND year = in_year;
        UPDATE invoices_invoice SET status = 'finalized', series_id = series, series_year = in_year,
            series_number = one.series_number, number = one.number, issued_on = on_day, tax_point_on = on_day,
            due_on = one.due_on, snapshot = one.document::jsonb,
            snapshot_hash = encode(sha256(convert_to(one.document, 'UTF8')), 'hex'),
            finalized_at = issue_at, sent_at = issue_at
            WHERE id = one.id;
    END LOOP;
END $$;
"""

_BUYER = """
'{"city":' || to_json(customer.city) || ',"contact_name":' || to_json(contact.name)
|| ',"country":' || to_json(customer.country) || ',"customer_number":' || to_json(customer.external_id)
|| ',"directors":"","email":' || to_json(contact.email) || ',"legal_name":' || to_json(customer.legal_name)
|| ',"line1":' || to_json(customer.line1) || ',"line2":"","name":' || to_json(customer.name)
|| ',"phone":"","postal_code":' || to_json(customer.postal_code)
|| ',"region":"","register":"","tax_number":"","vat_number":""}'
"""

BATCH = f"""
CREATE TEMP TABLE batch ON COMMIT DROP AS
WITH numbered AS (
    SELECT n, {next_id("invoices.Invoice")} AS id, {public_id("inv", "%(key)s || n")} AS public_id,
           {public_id("pay", "%(key)s || n")} AS payment_public_id,
           %(number_before)s + n - %(from)s + 1 AS series_number, {by_card()} AS by_card,
           {by_card()} AND mod(n * 7 + %(month_index)s * 11, 97) <> 5 AS is_paid
    FROM generate_series(%(from)s::int, %(to)s::int) n
), chosen AS (
    SELECT numbered.*, customer.id AS customer_id, customer.public_id AS customer_public_id,
           customer.payment_terms_days AS terms, customer.language, customer.collection_method, contact.email,
           subscription.id AS subscription_id, method.id AS method_id,
           mod(n * 13::bigint + %(seller)s, %(sample_count)s)::int AS sample,
           %(prefix)s || lpad(series_number::text, greatest(7, length(series_number::text)), '0') AS number,
           %(month_on)s::date + customer.payment_terms_days AS due_on, {_BUYER} AS buyer
    FROM numbered
    JOIN customers_customer customer ON customer.external_id = %(external_prefix)s || lpad(n::text, 7, '0')
    JOIN customers_contact contact ON contact.customer_id = customer.id
    JOIN subscriptions_subscription subscription ON subscription.customer_id = customer.id
    LEFT JOIN payments_paymentmethod method ON method.customer_id = customer.id AND method.is_default
)
SELECT chosen.*, (sample.invoice ->> 'subtotal_minor')::bigint AS subtotal_minor,
       (sample.invoice ->> 'tax_minor')::bigint AS tax_minor,
       (sample.invoice ->> 'total_minor')::bigint AS total_minor, sample.tax, sample.tax_label,
       sample.document AS template, ''::text AS document
FROM chosen JOIN sample USING (sample)
"""

LINES = f"""
CREATE TEMP TABLE batch_line ON COMMIT DROP AS
SELECT batch.n, batch.id AS invoice_id, batch.public_id AS invoice_public_id, batch.customer_id,
       batch.customer_public_id, sample_line.position, sample_line.line, item.id AS item_id,
       {public_id("lin", "%(key)s || n || '-' || position")} AS public_id,
       {public_id("rsl", "%(key)s || n || '-' || position")} AS slice_public_id,
       {next_id("revenue.RevenueSchedule")} AS schedule_id,
       (sample_line.line ->> 'amount_minor')::bigint AS amount_minor
FROM batch JOIN sample_line USING (sample)
JOIN subscriptions_subscriptionitem item ON item.subscription_id = batch.subscription_id
     AND item.price_id = (sample_line.line ->> 'price_id')::bigint
"""

DOCUMENTS = """
UPDATE batch SET document = replace(replace(replace(replace(replace(replace(replace(replace(
    with_lines, '@number@', number), '@start@', %(month_on)s::date::text), '@due@', due_on::text),
    '@last@', %(last_on)s::date::text), '@language@', language), '@terms@', terms::text),
    '@method@', collection_method), '@buyer@', buyer)
FROM (
    SELECT batch.id AS line_of, replace(replace(template, '@line1@', one.public_id),
                                        '@line2@', coalesce(two.public_id, '')) AS with_lines
    FROM batch JOIN batch_line one ON one.invoice_id = batch.id AND one.position = 1
    LEFT JOIN batch_line two ON two.invoice_id = batch.id AND two.position = 2
) lines WHERE line_of = batch.id
"""

FACTS = f"""
CREATE TEMP TABLE fact ON COMMIT DROP AS
SELECT {next_id("ledger.JournalEntry")} AS entry_id, facts.* FROM (
    SELECT 'invoice' AS source_type, public_id AS source_id, 'issue' AS purpose, number AS reference,
           %(month_on)s::date AS accounting_on, id AS invoice_id, 0 AS position
    FROM batch
    UNION ALL
    SELECT 'revenue_schedule_line', slice_public_id, 'recognize ' || to_char(%(month_on)s::date, 'YYYY-MM'), '',
           %(last_on)s::date, invoice_id, position
    FROM batch_line WHERE %(is_over)s
    UNION ALL
    SELECT 'payment', payment_public_id, 'succeed', 'generated:' || payment_public_id, %(month_on)s::date, id, 0
    FROM batch WHERE is_paid
    UNION ALL
    SELECT 'allocation', {public_id("pal", "%(key)s || n")}, 'apply', number, %(month_on)s::date, id, 0
    FROM batch WHERE is_paid
) facts
"""

_NO_DIMENSIONS = (
    "'' AS line_id, '' AS product_code, null::date AS start_on, null::date AS last_on, '' AS tax_rate"
)
_LINE_DIMENSIONS = (
    "line.public_id AS line_id, line.line ->> 'product_code' AS product_code, %(month_on)s::date AS start_on, "
    "%(last_on)s::date AS last_on, '' AS tax_rate"
)

POSTINGS = f"""(
    SELECT entry_id, 1 AS place, '1100' AS role, total_minor AS amount, customer_id, {_NO_DIMENSIONS}
    FROM fact JOIN batch ON batch.id = fact.invoice_id WHERE source_type = 'invoice'
    UNION ALL
    SELECT entry_id, 1 + line.position, '2100', -amount_minor, customer_id, {_LINE_DIMENSIONS}
    FROM fact JOIN batch_line line ON line.invoice_id = fact.invoice_id WHERE source_type = 'invoice'
    UNION ALL
    SELECT entry_id, 9, '2200', -tax_minor, customer_id, '', '', null, null, tax_label
    FROM fact JOIN batch ON batch.id = fact.invoice_id WHERE source_type = 'invoice'
    UNION ALL
    SELECT entry_id, side.place, side.role, side.sign * amount_minor, customer_id, {_LINE_DIMENSIONS}
    FROM fact JOIN batch_line line ON line.invoice_id = fact.invoice_id AND line.position = fact.position
    CROSS JOIN (VALUES (1, '2100', 1), (2, '4000', -1)) side (place, role, sign)
    WHERE source_type = 'revenue_schedule_line'
    UNION ALL
    SELECT entry_id, side.place, side.role, side.sign * total_minor, customer_id, {_NO_DIMENSIONS}
    FROM fact JOIN batch ON batch.id = fact.invoice_id
    JOIN (VALUES ('payment', 1, '1050', 1), ('payment', 2, '2050', -1),
                 ('allocation', 1, '2050', 1), ('allocation', 2, '1100', -1)) side (of_type, place, role, sign)
         ON side.of_type = source_type
) made JOIN account ON account.role = made.role ORDER BY entry_id, place"""
