"""What the demo shows at its end: the invoices, the books, as text for people and as JSON for programs."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from billing.core.money import format_major
from billing.core.quantity import format_quantity
from billing.invoices.models import Invoice
from billing.invoices.selectors import stored_document
from billing.ledger.selectors import trial_balance
from customers.models import LegalEntity


def total_text(invoices: list[Invoice], currency: str) -> str:
    """The sum of the invoices as a decimal string."""
    return format_major(sum(invoice.total_minor for invoice in invoices), currency)


def demo_invoices(seller: LegalEntity) -> list[Invoice]:
    """The seller's issued invoices, in the order of their numbers."""
    found = Invoice.objects.filter(legal_entity=seller).exclude(status="draft").select_related("customer")
    return list(found.prefetch_related("lines").order_by("series_year", "series_number"))


def write_documents(invoices: list[Invoice], folder: Path) -> dict[str, Path]:
    """Copy the stored PDFs into a folder where a person finds them; returns the paths by number."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for invoice in invoices:
        stored = stored_document(document=invoice)
        if stored is not None and invoice.number:
            paths[invoice.number] = folder / f"{invoice.number}.pdf"
            paths[invoice.number].write_bytes(bytes(stored.content))
    return paths


def invoice_json(invoice: Invoice) -> dict[str, object]:
    """One invoice of the closing JSON object; money and quantities as decimal strings."""
    currency = invoice.currency
    return {
        "number": invoice.number,
        "customer": invoice.customer.name,
        "issued_on": invoice.issued_on.isoformat() if invoice.issued_on else None,
        "lines": [
            {
                "code": line.code,
                "quantity": format_quantity(line.quantity),
                "amount": format_major(line.amount_minor, currency),
            }
            for line in invoice.lines.all()
        ],
        "subtotal": format_major(invoice.subtotal_minor, currency),
        "tax": format_major(invoice.tax_minor, currency),
        "total": format_major(invoice.total_minor, currency),
        "status": invoice.status,
        "settlement": invoice.settlement,
    }


def books_json(seller: LegalEntity, as_of: date) -> dict[str, str]:
    """The trial balance by role code, debit positive, as decimal strings."""
    rows = trial_balance(legal_entity=seller, as_of=as_of)
    return {row.role: format_major(row.balance_minor, seller.accounting_currency) for row in rows}


def invoice_text(invoice: Invoice, path: Path | None) -> str:
    """One invoice for people, amounts right-aligned."""
    currency = invoice.currency
    lines = [f"{invoice.number}  {invoice.customer.name}  issued {invoice.issued_on}"]
    lines += [
        f"    {line.code:<16}{format_quantity(line.quantity):>14}{format_major(line.amount_minor, currency):>12}"
        for line in invoice.lines.all()
    ]
    lines += [
        f"    {name:<30}{format_major(amount, currency):>12}"
        for name, amount in (("tax", invoice.tax_minor), (f"total {currency}", invoice.total_minor))
    ]
    lines.append(f"    {invoice.status}, {invoice.settlement}   {path or 'not rendered yet'}")
    return "\n".join(lines)


def books_text(seller: LegalEntity, days: Mapping[str, date]) -> str:
    """The trial balances side by side, one column a day, debit positive."""
    balances = {
        title: {row.role: row for row in trial_balance(legal_entity=seller, as_of=day)}
        for title, day in days.items()
    }
    names = {role: row.name for rows in balances.values() for role, row in rows.items()}
    currency = seller.accounting_currency
    lines = [f"    {'Trial balance ' + currency:<34}" + "".join(f"{title:>22}" for title in days)]
    for role in sorted(names):
        cells = [
            format_major(rows[role].balance_minor if role in rows else 0, currency)
            for rows in balances.values()
        ]
        lines.append(f"    {role} {names[role]:<29}" + "".join(f"{cell:>22}" for cell in cells))
    return "\n".join(lines)
