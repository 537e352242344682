"""Closing a month: recognize what it delivered, see that the books agree with the documents, close it for good."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from billing.core.errors import BillingError, Kind
from billing.ledger import services as ledger
from billing.platform.actors import Actor
from billing.reports.books import check_books
from billing.revenue.services import RecognitionResult, recognize_revenue
from customers.models import LegalEntity


class BooksDoNotAgree(BillingError):
    """A check of the books fails; look at the rows before closing on them."""

    code = "books_do_not_agree"
    kind = Kind.CONFLICT


class MonthNotOver(BillingError):
    """A month is closed when it is over."""

    code = "month_not_over"
    kind = Kind.CONFLICT


def next_month(month_on: date) -> date:
    """The first day of the month after the one that starts on `month_on`."""
    return (month_on + timedelta(days=32)).replace(day=1)


def close_month(
    *, legal_entity: LegalEntity, month_on: date, actor: Actor, at: datetime, is_soft: bool = False
) -> RecognitionResult:
    """Close the accounting period that starts on `month_on`, the first day of a month.

    Releases fees and accrues usage of the month first, so that its revenue is complete. With is_soft the period
    still takes recognition and accrual. Repeating it changes nothing. at: the time of the people concerned.
    Raises MonthNotOver, BooksDoNotAgree, PeriodNotOpenYet.
    """
    last_on = next_month(month_on) - timedelta(days=1)
    today = at.astimezone(ZoneInfo(legal_entity.time_zone)).date()
    if today <= last_on:
        raise MonthNotOver(
            f"{month_on:%B %Y} ends on {last_on}; in the books of {legal_entity} it is {today}.",
            field="month",
        )
    result = recognize_revenue(legal_entity=legal_entity, as_of=last_on, actor=actor, at=at)
    findings = check_books()
    if findings:
        raise BooksDoNotAgree(
            f"{len(findings)} checks of the books fail, the first is '{findings[0].name}': "
            f"{findings[0].rows[0]}. Run check_books for all of them."
        )
    period = ledger.ensure_period(legal_entity=legal_entity, on=month_on)
    close = ledger.soft_close_period if is_soft else ledger.close_period
    close(period_id=period.public_id, actor=actor, at=at)
    return result
