"""Bill runs: run twice, reviewed, approved, canceled, stopped, with customers that cannot be billed yet."""

from datetime import date
from decimal import Decimal

import pytest
from django.core.management import call_command

from billing.activity.models import Activity
from billing.approvals.models import ApprovalPolicy, ApprovalRequest
from billing.approvals.services import ApprovalRequired, SelfApproval, decide_approval
from billing.catalog.models import TaxRate
from billing.catalog.services import create_tax_rate
from billing.core.errors import InvalidTransition
from billing.invoices import services as invoices
from billing.invoices.models import BillRun, BillRunCustomer, Invoice
from billing.invoices.services.issuing import IncompleteDocument, TaxChanged
from billing.invoices.services.runs import RunInFuture, RunStopped
from billing.invoices.tasks import bill_test_clock, run_billing
from billing.platform.clock import now
from billing.subscriptions.models import BilledPeriod, Subscription
from customers import services as customers
from customers.models import Customer, LegalEntity
from tests import factories
from tests.scenarios.story import (
    DEC_1,
    FIONA,
    LISBON,
    NOV_1,
    OSCAR,
    PARIS,
    Story,
    amounts,
    euros,
    everything,
    is_sound,
    lines,
    usage,
    utc,
)
from tests.valueverse.backoffice.office import office

pytestmark = pytest.mark.django_db


def two_customers() -> tuple[Story, Customer, Customer]:
    story = Story(NOV_1)
    version = story.version(usage(), factories.fee())
    good, bad = story.customer(), story.customer()
    for buyer in (good, bad):
        story.subscribe(buyer, version)
    return story, good, bad


def parked() -> list[tuple[str, str]]:
    return list(
        BillRunCustomer.objects.filter(status="parked")
        .order_by("pk")
        .values_list("customer__name", "error_code")
    )


def reviewed_run(story: Story) -> BillRun:
    run = invoices.start_bill_run(as_of=story.now_at, needs_review=True, actor=FIONA, at=story.now_at)
    return invoices.perform_bill_run(run=run, actor=FIONA, at=story.now_at)


def test_billing_twice_writes_nothing_the_second_time() -> None:
    story, *_ = two_customers()
    assert len(story.bill()) == 2
    before = everything()
    assert story.bill() == []
    assert everything() == before
    assert is_sound()


def test_a_finished_run_performed_again_is_left_as_it_is() -> None:
    story, *_ = two_customers()
    story.bill()
    run = BillRun.objects.get()
    before = everything()
    assert invoices.perform_bill_run(run=run, actor=OSCAR, at=NOV_1).status == "completed"
    assert everything() == before


def test_a_customer_without_a_tax_rate_is_parked_and_billed_after_the_rate_is_known() -> None:
    story = Story(NOV_1, rate="")
    abroad = story.customer(address=factories.PORTLAND)
    home = story.customer()
    version = story.version(factories.fee())
    for buyer in (home, abroad):
        story.subscribe(buyer, version)
    (issued,) = story.bill()
    assert issued.customer == abroad
    assert parked() == [(home.name, "tax_undetermined")]
    assert not BilledPeriod.objects.filter(item__subscription__customer=home).exists()
    factories.tax_rate()
    assert amounts(story.bill_one()) == ("99.00", "18.81", "117.81")
    assert is_sound()


def test_a_customer_that_breaks_our_code_is_parked_like_any_other_and_the_rest_is_billed() -> None:
    story, good, bad = two_customers()
    Subscription.objects.filter(customer=bad).update(next_billing_at=None)
    broken = factories.test_clock(now_at=NOV_1)
    moved = story.customer(test_clock=broken)
    story.subscribe(moved, good.subscriptions.get().plan_version)
    seller = LegalEntity.objects.filter(pk=broken.legal_entity.pk)
    seller.update(time_zone="No/Where")
    assert story.bill_one().customer == good
    assert parked() == [(moved.name, "ZoneInfoNotFoundError")]
    seller.update(time_zone="Europe/Berlin")
    story.bill()
    assert moved.invoices.get().status == "finalized"


def test_an_eu_buyer_without_a_vat_id_is_parked_and_billed_under_reverse_charge_once_it_has_one() -> None:
    story, good, bad = two_customers()
    customers.update_customer(customer=bad, address=PARIS, actor=FIONA, at=NOV_1)
    assert story.bill_one().customer == good
    row = BillRunCustomer.objects.get(status="parked")
    assert "FR" in row.error_message and "VAT number" in row.error_message
    customers.update_customer(
        customer=bad,
        tax_ids=[customers.TaxIdInput(country="FR", vat_number="FR40303265045")],
        actor=FIONA,
        at=NOV_1,
    )
    invoice = story.bill_one()
    assert amounts(invoice) == ("99.00", "0.00", "99.00")
    assert invoice.taxes.get().category == "AE"
    tax = invoice.snapshot["taxes"][0]
    assert (tax["exemption_code"], tax["exemption_text"]) == ("VATEX-EU-AE", "reverse_charge")
    assert invoice.snapshot["buyer"]["vat_number"] == "FR40303265045"
    assert invoice.snapshot["seller"]["vat_number"] == "DE136695976"
    assert story.books(NOV_1.date())["2200"] == "-18.81"  # of the other customer alone
    assert is_sound()


def test_an_incomplete_document_names_each_missing_field_and_is_issued_after_the_fix() -> None:
    story, good, bad = two_customers()
    Customer.objects.filter(pk=bad.pk).update(line1="", city="", legal_name="")
    assert story.bill_one().customer == good
    assert parked() == [(bad.name, "incomplete_document")]
    message = BillRunCustomer.objects.get(status="parked").error_message
    for missing in ("street", "city", "legal name"):
        assert missing in message
    draft = Invoice.objects.get(status="draft")
    before = everything()
    with pytest.raises(IncompleteDocument) as refused:
        invoices.finalize_invoice(invoice_id=draft.public_id, actor=FIONA, at=NOV_1)
    assert set(refused.value.fields) == {"buyer.legal_name", "buyer.line1", "buyer.city"}
    assert everything() == before  # no number was taken

    customers.update_customer(
        customer=bad, legal_name="Fixed GmbH", address=factories.BERLIN, actor=FIONA, at=NOV_1
    )
    issued = story.bill_one()
    assert (issued.customer, issued.number) == (bad, "VV-2023-000002")
    assert not Invoice.objects.filter(status="draft").exists()
    assert is_sound()


def test_a_parked_customer_keeps_nobody_else_waiting_and_is_billed_for_all_its_periods_later() -> None:
    story, good, bad = two_customers()
    customers.update_customer(customer=bad, address=LISBON, actor=FIONA, at=NOV_1)
    story.bill()
    story.use(bad, NOV_1, 100)
    story.advance(DEC_1)
    assert [invoice.customer for invoice in story.bill()] == [good]
    customers.update_customer(customer=bad, address=factories.BERLIN, actor=FIONA, at=DEC_1)
    assert [lines(invoice) for invoice in story.bill()] == [
        [("platform-fee", "recurring", "1", "99.00")],
        [("usage", "usage", "100", "1.00"), ("platform-fee", "recurring", "1", "99.00")],
    ]
    assert is_sound()


def test_a_tax_rate_that_changes_between_draft_and_finalize_is_not_charged_at_the_old_rate() -> None:
    story, *_ = two_customers()
    run = reviewed_run(story)
    TaxRate.objects.update(valid_to=date(2023, 11, 1))
    create_tax_rate(
        country="DE", percent=Decimal(16), name="USt.", valid_from=date(2023, 11, 1), actor=FIONA, at=NOV_1
    )
    draft = Invoice.objects.earliest("pk")
    before = everything()
    with pytest.raises(TaxChanged):
        invoices.finalize_invoice(invoice_id=draft.public_id, actor=FIONA, at=NOV_1)
    assert everything() == before
    run = invoices.approve_bill_run(run=run, actor=FIONA, at=NOV_1)
    invoices.perform_bill_run(run=run, actor=FIONA, at=NOV_1)
    assert {code for _, code in parked()} == {"tax_changed"}
    assert [amounts(invoice) for invoice in story.bill()] == [("99.00", "15.84", "114.84")] * 2
    assert is_sound()


def test_a_reviewed_run_waits_for_a_person_and_then_issues_what_was_reviewed() -> None:
    story, *_ = two_customers()
    run = reviewed_run(story)
    assert run.status == "in_review"
    drafts = {amounts(draft) for draft in Invoice.objects.all()}
    assert {draft.number for draft in Invoice.objects.all()} == {None}
    story.advance(utc(2023, 11, 2))
    assert story.bill() == []  # nobody else bills the same, and the run stays in review
    run.refresh_from_db()
    assert run.status == "in_review"
    run = invoices.approve_bill_run(run=run, actor=FIONA, at=story.now_at)
    run = invoices.perform_bill_run(run=run, actor=FIONA, at=story.now_at)
    assert run.status == "completed"
    assert {amounts(issued) for issued in Invoice.objects.filter(status="finalized")} == drafts
    assert is_sound()


def test_a_run_above_the_limit_needs_somebody_else() -> None:
    story, *_ = two_customers()
    ApprovalPolicy.objects.create(action="bill_run", currency="EUR", limit_minor=euros("200.00"))
    run = reviewed_run(story)
    with pytest.raises(ApprovalRequired) as refused:
        invoices.approve_bill_run(run=run, actor=FIONA, at=NOV_1)
    request = str(refused.value.details["approval"])
    with pytest.raises(SelfApproval):
        decide_approval(approval_id=request, approve=True, actor=FIONA, at=NOV_1)
    with pytest.raises(ApprovalRequired):
        invoices.approve_bill_run(run=run, actor=FIONA, at=NOV_1)
    assert ApprovalRequest.objects.count() == 1
    decide_approval(approval_id=request, approve=True, actor=OSCAR, at=NOV_1)
    run = invoices.approve_bill_run(run=run, actor=FIONA, at=NOV_1)
    invoices.perform_bill_run(run=run, actor=FIONA, at=NOV_1)
    assert Invoice.objects.filter(status="finalized").count() == 2
    assert is_sound()


def test_an_unattended_run_above_the_limit_waits_and_goes_on_once_it_is_approved() -> None:
    story, *_ = two_customers()
    ApprovalPolicy.objects.create(action="bill_run", currency="EUR", limit_minor=euros("200.00"))
    assert story.bill() == []
    assert BillRun.objects.get().status == "in_review"
    decide_approval(approval_id=ApprovalRequest.objects.get().public_id, approve=True, actor=FIONA, at=NOV_1)
    assert len(story.bill()) == 2
    assert is_sound()


def test_a_run_under_the_limit_is_approved_by_the_policy() -> None:
    story, *_ = two_customers()
    policy = ApprovalPolicy.objects.create(action="bill_run", currency="EUR", limit_minor=euros("235.62"))
    assert len(story.bill()) == 2
    assert ApprovalRequest.objects.get().decided_by_id == policy.public_id
    assert is_sound()


def test_a_canceled_run_frees_everything_and_the_next_one_bills_the_same() -> None:
    story, *_ = two_customers()
    run = reviewed_run(story)
    drafted = sorted(amounts(draft) for draft in Invoice.objects.all())
    run = invoices.cancel_bill_run(run=run, actor=FIONA, at=NOV_1)
    assert (run.status, Invoice.objects.count()) == ("canceled", 0)
    assert not BilledPeriod.objects.filter(released_at=None).exists()
    before = everything()
    with pytest.raises(InvalidTransition):
        invoices.cancel_bill_run(run=run, actor=FIONA, at=NOV_1)
    with pytest.raises(InvalidTransition):
        invoices.approve_bill_run(run=run, actor=FIONA, at=NOV_1)
    assert everything() == before
    assert sorted(amounts(issued) for issued in story.bill()) == drafted
    assert is_sound()


def test_a_canceled_run_over_final_bills_frees_those_of_ended_subscriptions_too() -> None:
    story = Story(NOV_1)
    buyer = story.customer()
    bought = story.subscribe(buyer, story.version(usage(), factories.fee()))
    story.bill()
    story.use(buyer, NOV_1, 100)
    story.cancel_at_period_end(bought)
    story.advance(DEC_1)
    run = reviewed_run(story)
    drafted = lines(Invoice.objects.get(status="draft"))
    invoices.cancel_bill_run(run=run, actor=FIONA, at=DEC_1)
    assert lines(story.bill_one()) == drafted == [("usage", "usage", "100", "1.00")]
    assert story.bill() == []
    assert is_sound()


def test_a_stopped_run_goes_on_where_it_stood() -> None:
    story, *_ = two_customers()
    run = invoices.start_bill_run(as_of=NOV_1, actor=OSCAR, at=NOV_1)
    with pytest.raises(RunStopped):
        invoices.perform_bill_run(run=run, actor=OSCAR, at=NOV_1, stop=lambda: True)
    assert not Invoice.objects.exists()
    assert len(story.bill()) == 2
    assert BillRun.objects.count() == 1
    assert is_sound()


def test_nothing_is_billed_before_its_time() -> None:
    two_customers()
    before = everything()
    with pytest.raises(RunInFuture):
        invoices.start_bill_run(as_of=now().replace(year=2199), actor=OSCAR, at=now())
    assert everything() == before


def test_a_customer_on_its_clock_is_not_billed_ahead_of_it() -> None:
    """The run is of today, years later; the customer's clock shows 1 November 2023."""
    story, *_ = two_customers()
    assert len(story.bill()) == 2
    assert {invoice.issued_on for invoice in Invoice.objects.all()} == {date(2023, 11, 1)}
    assert is_sound()


def test_a_run_for_one_customer_leaves_the_others_due() -> None:
    story, one, other = two_customers()
    invoices.bill_due(as_of=now(), customer=one, actor=OSCAR, at=now())
    assert {invoice.customer for invoice in Invoice.objects.all()} == {one}
    assert story.bill_one().customer == other
    assert is_sound()


def test_numbers_are_gapless_and_ascend_although_customers_are_parked_in_between() -> None:
    story = Story(NOV_1)
    version = story.version(factories.fee())
    buyers = [story.customer() for _ in range(5)]
    for buyer in buyers:
        story.subscribe(buyer, version)
    Customer.objects.filter(pk__in=[buyers[1].pk, buyers[3].pk]).update(city="")
    assert [invoice.number for invoice in story.bill()] == [f"VV-2023-{n:06d}" for n in (1, 2, 3)]
    Customer.objects.filter(city="").update(city="Berlin")
    assert [invoice.number for invoice in story.bill()] == [f"VV-2023-{n:06d}" for n in (4, 5)]
    assert is_sound()


def test_finalizing_a_finalized_invoice_returns_it_unchanged() -> None:
    story, *_ = two_customers()
    issued = story.bill()[0]
    before = everything()
    again = invoices.finalize_invoice(invoice_id=issued.public_id, actor=FIONA, at=DEC_1)
    assert (again.number, again.finalized_at) == (issued.number, issued.finalized_at)
    assert everything() == before


def test_every_step_of_a_run_is_on_record() -> None:
    story, *_ = two_customers()
    story.bill()
    names = Activity.objects.filter(object_kind="bill_run").order_by("pk").values_list("name", flat=True)
    assert list(names) == [
        "bill_run.created",
        "bill_run.drafted",
        "bill_run.approved",
        "bill_run.completed",
    ]
    assert is_sound()


def test_a_seller_that_reviews_its_bill_runs_is_billed_when_a_person_says_so_alone() -> None:
    story, one, other = two_customers()
    customers.update_legal_entity(
        legal_entity=story.seller, reviews_bill_runs=True, actor=FIONA, at=story.now_at
    )
    before = everything()
    run_billing()
    bill_test_clock(story.clock.public_id)
    call_command("run_billing")
    assert everything() == before
    client = office()
    assert "2 customers to be billed" in client.get("/admin/dashboard/needs/").content.decode()
    run = reviewed_run(story)
    assert {row.customer for row in run.customers.all()} == {one, other}
    run_billing()
    run.refresh_from_db()
    assert run.status == "in_review"
    assert Invoice.objects.filter(status="draft").count() == 2
    customers.update_legal_entity(
        legal_entity=story.seller, reviews_bill_runs=False, actor=FIONA, at=story.now_at
    )
    invoices.cancel_bill_run(run=run, actor=FIONA, at=story.now_at)
    run_billing()
    assert Invoice.objects.filter(status="finalized").count() == 2
    assert is_sound()
