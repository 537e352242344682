"""Every word printed on documents and in mails, in English and German.

German terms: a correction is a "Rechnungskorrektur", since "Gutschrift" is the buyer's own invoice in § 14 (2) UStG;
a cancellation is a "Stornorechnung". The reverse charge sentence is the one § 14a (5) UStG prescribes.
"""

from billing.invoices.documents.formatting import supported_language
from billing.invoices.documents.snapshot import DocumentType

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "invoice": "Invoice",
        "credit_note": "Credit note",
        "cancellation": "Cancellation",
        "corrects": "Credit note for invoice {number} of {date}",
        "cancels": "Cancels invoice {number} of {date} in full",
        "number": "Number",
        "date": "Date",
        "due": "Due",
        "tax_point": "Tax point",
        "service_period": "Service period",
        "customer": "Customer number",
        "customer_vat": "Your VAT ID",
        "purchase_order": "Purchase order",
        "buyer_reference": "Your reference",
        "contact": "Contact",
        "position": "Pos",
        "description": "Description",
        "quantity": "Quantity",
        "unit_price": "Unit price",
        "tax": "Tax",
        "net_in": "Net {currency}",
        "meter": "meter {meter}",
        "late_usage": "Usage recorded later",
        "prorated": "{days} of {of} days",
        "prorated_seconds": "{days} of {of} seconds",
        "altogether": "{quantity} in all, {amount}",
        "tier_first": "up to {end}",
        "tier_between": "above {start}, up to {end}",
        "tier_last": "above {start}",
        "tier_only": "all units",
        "graduated": "Tier: {tier}",
        "volume": "All units at the tier: {tier}",
        "packages": "{count} started packages of {size}",
        "package": "1 started package of {size}",
        "used": "{used} used",
        "used_free": "{used} used, the first {free} free",
        "flat_part": "Fixed amount of the tier",
        "stairstep": "Fixed amount for the tier: {tier}",
        "blocks": "{count} started blocks of {size}",
        "percentage": "{percent} of the amount",
        "percentage_free": "{percent} of the amount after the first {free}",
        "percentage_tier": "{percent} of the amount {tier}",
        "cap": "Less what is above the largest amount of the tier",
        "discount": "Discount",
        "minimum": "Up to the agreed minimum",
        "maximum": "Less what is above the agreed maximum",
        "already_billed": "Less what was billed before",
        "subtotal_of": "Subtotal {name}",
        "carried": "Carried forward",
        "category": "Tax category",
        "rate": "Rate",
        "base": "Net amount",
        "tax_amount": "Tax",
        "cat_S": "VAT",
        "cat_Z": "VAT, zero rated",
        "cat_E": "Exempt from VAT",
        "cat_AE": "Reverse charge",
        "cat_O": "Outside the scope of VAT",
        "cat_G": "Export, free of VAT",
        "national_tax": "VAT in {currency}: {amount} (1 {document} = {rate} {currency}, {source}, {date})",
        "net": "Net",
        "vat": "VAT",
        "total": "Total",
        "total_credit": "Total credited",
        "paid": "Already paid",
        "amount_due": "Amount due",
        "payment": "Payment",
        "transfer": "Please transfer {amount} by {date}.",
        "transfer_receipt": "Please transfer {amount} on receipt of this invoice.",
        "charge": "{amount} will be charged on {date}.",
        "charge_method": "{amount} will be charged to {method} on {date}.",
        "nothing_due": "Nothing is due.",
        "offset": "{amount} are set off against the open amount of invoice {invoice}.",
        "refund": "{amount} will be paid back.",
        "refund_method": "{amount} will be paid back to {method}.",
        "credit": "{amount} are kept as your credit for coming invoices.",
        "payee": "Payee",
        "bank": "Bank",
        "reference": "Reference",
        "scan": "Scan with your banking app",
        "scan_alt": "Payment code: {amount} to {holder}, reference {reference}",
        "page": "page {page} of {pages}",
        "vat_id": "VAT ID",
        "tax_number": "Tax number",
        "directors": "Managing directors",
        "logo": "Logo of {name}",
        "test": "TEST",
        "mail_subject_due": "Invoice {number}: {amount}, due {date}",
        "mail_subject": "Invoice {number}: {amount}",
        "mail_subject_credit_note": "Credit note {number}: {amount}",
        "mail_subject_cancellation": "Cancellation {number}: {amount}",
        "mail_first": "Your invoice for {period} is attached.",
        "mail_period": "{period}",
        "mail_first_plain": "Your invoice is attached.",
        "mail_first_credit_note": "A credit note for invoice {number} of {date} is attached.",
        "mail_first_cancellation": "Invoice {number} of {date} is canceled. The document is attached.",
        "mail_view": "View invoice",
        "mail_view_credit": "View credit note",
        "mail_amount": "Amount",
        "mail_test_note": "This is a test document. Nothing has to be paid.",
    },
    "de": {
        "invoice": "Rechnung",
        "credit_note": "Rechnungskorrektur",
        "cancellation": "Stornorechnung",
        "corrects": "Korrektur zur Rechnung {number} vom {date}",
        "cancels": "Storniert die Rechnung {number} vom {date} vollständig",
        "number": "Nummer",
        "date": "Datum",
        "due": "Fällig",
        "tax_point": "Steuerdatum",
        "service_period": "Leistungszeitraum",
        "customer": "Kundennummer",
        "customer_vat": "Ihre USt-IdNr.",
        "purchase_order": "Bestellnummer",
        "buyer_reference": "Ihr Zeichen",
        "contact": "Kontakt",
        "position": "Pos.",
        "description": "Bezeichnung",
        "quantity": "Menge",
        "unit_price": "Einzelpreis",
        "tax": "USt.",
        "net_in": "Netto {currency}",
        "meter": "Zähler {meter}",
        "late_usage": "Nachträglich erfasste Nutzung",
        "prorated": "{days} von {of} Tagen",
        "prorated_seconds": "{days} von {of} Sekunden",
        "altogether": "insgesamt {quantity}, {amount}",
        "tier_first": "bis {end}",
        "tier_between": "über {start} bis {end}",
        "tier_last": "über {start}",
        "tier_only": "alle Einheiten",
        "graduated": "Staffel: {tier}",
        "volume": "Gesamtmenge zum Preis der Staffel: {tier}",
        "packages": "{count} angefangene Pakete zu je {size}",
        "package": "1 angefangenes Paket zu {size}",
        "used": "{used} genutzt",
        "used_free": "{used} genutzt, die ersten {free} frei",
        "flat_part": "Festbetrag der Staffel",
        "stairstep": "Festbetrag der Staffel: {tier}",
        "blocks": "{count} angefangene Blöcke zu je {size}",
        "percentage": "{percent} des Betrags",
        "percentage_free": "{percent} des Betrags nach den ersten {free}",
        "percentage_tier": "{percent} des Betrags {tier}",
        "cap": "Abzüglich des Teils über dem Höchstbetrag der Staffel",
        "discount": "Rabatt",
        "minimum": "Bis zum vereinbarten Mindestbetrag",
        "maximum": "Abzüglich des Teils über dem vereinbarten Höchstbetrag",
        "already_billed": "Abzüglich bereits berechneter Menge",
        "subtotal_of": "Zwischensumme {name}",
        "carried": "Übertrag",
        "category": "Steuerart",
        "rate": "Satz",
        "base": "Nettobetrag",
        "tax_amount": "Steuer",
        "cat_S": "Umsatzsteuer",
        "cat_Z": "Umsatzsteuer, Nullsatz",
        "cat_E": "Umsatzsteuerfrei",
        "cat_AE": "Steuerschuldnerschaft des Leistungsempfängers",
        "cat_O": "Nicht steuerbar",
        "cat_G": "Steuerfreie Ausfuhr",
        "national_tax": "USt. in {currency}: {amount} (1 {document} = {rate} {currency}, {source}, {date})",
        "net": "Netto",
        "vat": "Umsatzsteuer",
        "total": "Gesamtbetrag",
        "total_credit": "Korrekturbetrag",
        "paid": "Bereits bezahlt",
        "amount_due": "Zahlbetrag",
        "payment": "Zahlung",
        "transfer": "Bitte überweisen Sie {amount} bis zum {date}.",
        "transfer_receipt": "Bitte überweisen Sie {amount} sofort nach Erhalt.",
        "charge": "{amount} werden am {date} eingezogen.",
        "charge_method": "{amount} werden am {date} eingezogen: {method}.",
        "nothing_due": "Es ist nichts zu zahlen.",
        "offset": "{amount} werden mit dem offenen Betrag der Rechnung {invoice} verrechnet.",
        "refund": "{amount} werden erstattet.",
        "refund_method": "{amount} werden erstattet: {method}.",
        "credit": "{amount} bleiben als Guthaben für kommende Rechnungen stehen.",
        "payee": "Empfänger",
        "bank": "Bank",
        "reference": "Verwendungszweck",
        "scan": "Mit der Banking-App scannen",
        "scan_alt": "Zahlungscode: {amount} an {holder}, Verwendungszweck {reference}",
        "page": "Seite {page} von {pages}",
        "vat_id": "USt-IdNr.",
        "tax_number": "Steuernummer",
        "directors": "Geschäftsführung",
        "logo": "Logo von {name}",
        "test": "TEST",
        "mail_subject_due": "Rechnung {number}: {amount}, fällig {date}",
        "mail_subject": "Rechnung {number}: {amount}",
        "mail_subject_credit_note": "Rechnungskorrektur {number}: {amount}",
        "mail_subject_cancellation": "Stornorechnung {number}: {amount}",
        "mail_first": "Ihre Rechnung für {period} ist beigefügt.",
        "mail_period": "den Zeitraum {period}",
        "mail_first_plain": "Ihre Rechnung ist beigefügt.",
        "mail_first_credit_note": "Die Korrektur zur Rechnung {number} vom {date} ist beigefügt.",
        "mail_first_cancellation": "Die Rechnung {number} vom {date} ist storniert. Das Dokument ist beigefügt.",
        "mail_view": "Rechnung ansehen",
        "mail_view_credit": "Dokument ansehen",
        "mail_amount": "Betrag",
        "mail_test_note": "Dies ist ein Testdokument. Es ist nichts zu zahlen.",
    },
}

# Keys of `Tax.exemption_text`. The general sentence stands alone; the German law follows if the seller is German.
LEGAL_TEXTS: dict[str, dict[str, str]] = {
    "reverse_charge": {
        "en": "Reverse charge: the recipient is liable for the VAT "
        "(Art. 44 and Art. 196 of Directive 2006/112/EC{law}).",
        "de": "Steuerschuldnerschaft des Leistungsempfängers "
        "(Art. 44 und Art. 196 der Richtlinie 2006/112/EG{law}).",
    },
    "outside_scope": {
        "en": "Not subject to VAT in the EU; outside the scope: the service is supplied where the customer is "
        "established (Art. 44 of Directive 2006/112/EC{law}).",
        "de": "In der EU nicht steuerbar: Der Leistungsort liegt am Sitz des Leistungsempfängers im Drittland "
        "(Art. 44 der Richtlinie 2006/112/EG{law}).",
    },
    "exempt": {"en": "Exempt from VAT.", "de": "Umsatzsteuerfrei."},
    "intra_community": {
        "en": "Intra-Community supply, exempt from VAT (Art. 138 of Directive 2006/112/EC).",
        "de": "Steuerfreie innergemeinschaftliche Lieferung (Art. 138 der Richtlinie 2006/112/EG).",
    },
    "split_payment": {
        "en": "Split payment: the buyer pays the VAT to the state.",
        "de": "Split Payment: Die Umsatzsteuer zahlt der Käufer an den Staat.",
    },
    "zero_rated": {"en": "Zero rated for VAT.", "de": "Umsatzsteuer zum Nullsatz."},
    "export": {
        "en": "Export, exempt from VAT (Art. 146 of Directive 2006/112/EC).",
        "de": "Steuerfreie Ausfuhr (Art. 146 der Richtlinie 2006/112/EG).",
    },
}
GERMAN_LAW = {"reverse_charge": "; § 3a (2), § 13b UStG", "outside_scope": "; § 3a (2) UStG"}
CATEGORY_TEXT = {
    "AE": "reverse_charge",
    "O": "outside_scope",
    "E": "exempt",
    "Z": "zero_rated",
    "G": "export",
    "K": "intra_community",
    "B": "split_payment",
}


def words(language: str) -> dict[str, str]:
    """The words of a language, or of English if we do not have it."""
    return WORDS[supported_language(language)]


def title(document_type: DocumentType, number: str, language: str) -> str:
    """The title of a document.

    >>> title(DocumentType.INVOICE, "VV-2023-000003", "de")
    'Rechnung VV-2023-000003'
    """
    return f"{words(language)[document_type.value]} {number}"


def legal_text(category: str, exemption_text: str, *, language: str, seller_country: str) -> str:
    """The sentence a tax category obliges us to print, or "" for taxed lines.

    exemption_text: a key of LEGAL_TEXTS, a sentence of its own (printed as it is), or "" for the category's usual one.
    Source: Art. 226 (11), (11a) of Directive 2006/112/EC; § 14 (4) no. 8, § 14a (1), (5) UStG.
    """
    key = exemption_text or CATEGORY_TEXT.get(category, "")
    if not key or key not in LEGAL_TEXTS:
        return key
    law = GERMAN_LAW.get(key, "") if seller_country == "DE" else ""
    return LEGAL_TEXTS[key][supported_language(language)].replace("{law}", law)
