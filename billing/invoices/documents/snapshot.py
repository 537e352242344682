"""The snapshot of an issued document: plain, frozen values, complete enough for EN 16931.

A snapshot is taken once, when a document is finalized, and never changed afterwards: PDF, canonical JSON, mails
and e-invoices are all made from it, never from live rows. The BT and BG numbers in the comments are the terms of
EN 16931-1:2017 that the field feeds.

Amounts are integers of minor units named `*_minor`, in `Snapshot.currency` unless the name says otherwise. A
document alone is positive: the amounts of a credit note are positive too, its type says what it does.
Periods are inclusive dates (`*_start_on`, `*_last_on`). Absent text is the empty string, an absent value None.
"""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from billing.core.pricing import StepKind


class DocumentType(StrEnum):
    """What the document is; a cancellation is the credit note of a whole invoice."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    CANCELLATION = "cancellation"


class CollectionMethod(StrEnum):
    """Who moves the money: we charge a stored method, or the customer transfers it."""

    CHARGE_AUTOMATICALLY = "charge_automatically"
    SEND_INVOICE = "send_invoice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Seller (BG-4) or buyer (BG-7) as they were on the day of issue."""

    name: str  # BT-28 / BT-45, the name in daily use
    legal_name: str  # BT-27 / BT-44
    line1: str = ""  # BT-35 / BT-50
    line2: str = ""  # BT-36 / BT-51
    postal_code: str = ""  # BT-38 / BT-53
    city: str = ""  # BT-37 / BT-52
    region: str = ""  # BT-39 / BT-54
    country: str = ""  # BT-40 / BT-55, ISO 3166-1 alpha-2
    vat_number: str = ""  # BT-31 / BT-48, with country prefix
    tax_number: str = ""  # BT-32, the number of the local tax office
    register: str = ""  # BT-30 / BT-47 and BT-33, e.g. "Amtsgericht Charlottenburg, HRB 12345"
    directors: str = ""  # part of BT-33; § 35a GmbHG wants them on business letters
    contact_name: str = ""  # BT-41 / BT-56
    email: str = ""  # BT-43 / BT-58
    phone: str = ""  # BT-42 / BT-57
    customer_number: str = ""  # BT-46: the integrator's own key of the buyer, else its public id


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One printed price step of a line: a tier, the packages, or a fixed amount.

    `amount_minor` is the step's share of the line: the shares sum to the line's `gross_minor`. A `flat_amount` is
    charged on top of `quantity` times `unit_amount` and is part of `amount_minor`. On prorated lines, and for steps
    that only move the amount (`already_billed`, a discount), the product is not the amount; words say so.
    """

    kind: StepKind
    amount_minor: int
    quantity: Decimal  # what `unit_amount` is multiplied with: units, started packages or blocks, money
    unit_amount: Decimal | None = None  # major units, up to 12 decimals
    flat_amount: Decimal | None = None  # major units
    from_quantity: Decimal | None = None  # last unit of the tier below: this tier starts after it
    up_to: Decimal | None = None  # inclusive; None = no upper bound
    package_size: Decimal | None = None  # of a package, or of the blocks of a tier
    free_units: Decimal | None = None  # of a package; of a percentage the amount that is free


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is taken off a line before tax (BG-27)."""

    kind: str  # coupon, ...; all of them are discounts: BT-140 is 95 of UNCL 5189
    reference: str  # public id of what grants it
    reason: str  # BT-139
    amount_minor: int  # BT-136, above zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One invoice line (BG-25)."""

    id: str  # public id of the line; BT-126 is `position`
    code: str  # BT-155, e.g. "input_tokens"
    position: int
    description: str  # BT-153
    kind: str  # recurring | usage | late_usage
    service_start_on: date  # BT-134
    service_last_on: date  # BT-135, inclusive
    quantity: Decimal  # BT-129
    unit_code: str  # BT-130, UN/ECE recommendation 20, e.g. C62 = one
    unit_amount: Decimal | None  # BT-146 where one price applies to the whole quantity
    net_minor: int  # BT-131: the steps less the allowances
    tax_category: str  # BT-151, UNCL 5305: S Z E AE O G
    tax_percent: Decimal  # BT-152
    meter: str = ""  # code of the meter behind a usage line
    subscription: str = ""  # name under which lines are grouped if several subscriptions share the document
    prorated_days: int | None = None  # days charged ...
    prorated_of_days: int | None = None  # ... of the days of the whole period
    prorated_unit: str = "day"  # second, where the plan is prorated by seconds: the two figures count those
    steps: tuple[Step, ...] = ()
    allowances: tuple[Allowance, ...] = ()

    @property
    def gross_minor(self) -> int:
        """What the steps add up to, before allowances."""
        return self.net_minor + sum(one.amount_minor for one in self.allowances)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tax:
    """The tax of one category and rate (BG-23)."""

    category: str  # BT-118
    percent: Decimal  # BT-119
    base_minor: int  # BT-116
    tax_minor: int  # BT-117
    exemption_code: str = ""  # BT-121, e.g. VATEX-EU-O
    exemption_text: str = ""  # BT-120: a key of `wording.LEGAL_TEXTS` or, if it is none, the text itself


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAccount:
    """Where a transfer goes (BG-17)."""

    holder: str  # BT-85
    iban: str  # BT-84, without blanks
    bic: str = ""  # BT-86
    bank_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentTerms:
    """How and when the amount due is paid (BG-16, BT-20)."""

    collection_method: CollectionMethod  # BT-81 follows from it
    terms_days: int | None = None  # 0 = due on receipt
    method_label: str = ""  # BT-82, e.g. "Visa card ending in 4242"
    bank_account: BankAccount | None = None
    reference: str = ""  # BT-83; the document number if empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Another document by number and date (BG-3)."""

    number: str  # BT-25
    issued_on: date  # BT-26


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditUse:
    """What becomes of a credit note's amount; the three parts sum to its total."""

    offset_minor: int = 0  # set off against the open amount of its invoice
    refund_minor: int = 0  # paid back
    credit_minor: int = 0  # kept for coming invoices


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountingTax:
    """The tax in the legal entity's currency, where the document is in another one (Art. 230 VAT Directive)."""

    currency: str  # BT-6
    tax_minor: int  # BT-111, in `currency`
    rate: Decimal  # units of `currency` for one unit of the document currency
    rate_source: str  # e.g. "ECB"
    rate_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An issued invoice, credit note or cancellation (EN 16931 semantic model)."""

    document_type: DocumentType  # BT-3, see `type_code`
    number: str  # BT-1
    issued_on: date  # BT-2
    due_on: date | None  # BT-9; None on credit notes
    tax_point_on: date | None  # BT-7
    currency: str  # BT-5
    language: str  # BCP 47, e.g. "en", "de"
    is_test: bool
    billing_reason: str  # e.g. subscription_cycle
    seller: Party  # BG-4
    buyer: Party  # BG-7
    period_start_on: date | None  # BT-73
    period_last_on: date | None  # BT-74, inclusive
    lines: tuple[Line, ...]  # BG-25
    taxes: tuple[Tax, ...]  # BG-23
    subtotal_minor: int  # BT-109
    tax_minor: int  # BT-110
    total_minor: int  # BT-112
    payment: PaymentTerms  # BG-16
    rules_version: str
    preceding: Reference | None = None  # BG-3: the invoice that a credit note corrects
    credit_use: CreditUse | None = None  # credit notes only
    paid_minor: int = 0  # BT-113: already settled when issued
    accounting_currency: str = ""  # the legal entity's currency; the document's if empty
    tax_in_accounting_currency: AccountingTax | None = None  # only where the currencies differ
    buyer_reference: str = ""  # BT-10
    purchase_order: str = ""  # BT-13
    notes: tuple[str, ...] = ()  # BG-1
    accent_color: str = ""  # "#rrggbb" of the legal entity; black if empty
    logo_svg: str = field(default="", repr=False)

    @property
    def is_credit(self) -> bool:
        """Whether the document reduces what the customer owes."""
        return self.document_type is not DocumentType.INVOICE

    @property
    def type_code(self) -> str:
        """BT-3, UNTDID 1001: 380 commercial invoice, 381 credit note."""
        return "381" if self.is_credit else "380"

    @property
    def due_minor(self) -> int:
        """BT-115: what is left to pay of an invoice when issued; 0 on credit notes."""
        return 0 if self.is_credit else self.total_minor - self.paid_minor

    @property
    def payment_reference(self) -> str:
        """BT-83: what the customer writes on the transfer."""
        return self.payment.reference or self.number
