"""What finance types into the pages that set things up: one good answer for each form, to be changed by tests."""

from typing import Any

SELLER: dict[str, Any] = {
    "name": "Nord GmbH", "legal_name": "Nord GmbH & Co. KG", "line1": "Torstraße 1", "postal_code": "10119",
    "city": "Berlin", "country": "de", "accounting_currency": "eur", "time_zone": "Europe/Berlin",
    "fiscal_year_start_month": "1", "retention_years": "10", "vat_number": "DE136695976", "tax_number": "",
    "registered_from": "2020-01-01", "invoice_numbers": "N-{year}-{number:04d}",
    "credit_note_numbers": "NC-{year}-{number:04d}", "iban": "DE89 3704 0044 0532 0130 00", "bic": "COBADEFFXXX",
    "bank_holder": "", "bank_name": "Commerzbank", "registration": "HRB 1", "directors": "Mia Lang",
    "email": "billing@nord.example", "phone": "", "is_test": "on",
}  # fmt: skip
TAX_RATE = {
    "country": "DE", "category": "S", "name": "USt.", "percent": "19", "valid_from": "2021-01-01", "last_on": "",
}  # fmt: skip
PRODUCT = {"code": "inference", "name": "Inference"}
METER = {
    "code": "tokens", "name": "Tokens", "event_type": "llm_request", "aggregation": "sum", "property": "tokens",
    "unit_code": "C62",
}  # fmt: skip
VERSION = {"currency": "EUR", "interval_count": "1", "interval_unit": "month", "anchor": "calendar"}
FEE = {"code": "fee", "name": "Platform fee", "model": "flat", "meter": "", "amount": "99.00", "tiers": "3"}
TIERS: dict[str, Any] = {
    "code": "tokens", "name": "Tokens", "model": "graduated", "tiers": "3",
    "tier_0_from": "1", "tier_0_to": "10,000,000", "tier_0_unit": "0.0000025",
    "tier_1_from": "10,000,001", "tier_1_to": "", "tier_1_unit": "0.000002",
}  # fmt: skip
CUSTOMER: dict[str, Any] = {
    "name": "Brightchat", "legal_name": "Brightchat GmbH", "line1": "Invalidenstraße 91", "postal_code": "10115",
    "city": "Berlin", "country": "DE", "currency": "EUR", "language": "en", "time_zone": "UTC",
    "payment_terms_days": "14", "collection_method": "send_invoice", "tax_0_country": "DE",
    "tax_0_number": "DE811569869", "contact_name": "Ada", "contact_email": "ada@brightchat.example",
}  # fmt: skip
