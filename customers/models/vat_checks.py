"""What a register of VAT numbers answered, and when: facts that nobody changes."""

from django.db import models

from billing.platform.fields import CountryField, PublicIdField, is_one_of
from customers.models.customers import Customer


class VatCheckOutcome(models.TextChoices):
    """unavailable: no answer, which says nothing about the number."""

    VALID = "valid", "Valid"
    INVALID = "invalid", "Not valid"
    UNAVAILABLE = "unavailable", "No answer"


class VatCheck(models.Model):
    """One question to the register (VIES) about a customer's VAT number, and its answer. Never changes."""

    public_id = PublicIdField(prefix="vch")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="vat_checks")
    country = CountryField()
    vat_number = models.CharField(max_length=20, help_text="As asked, with its prefix.")
    requester = models.CharField(
        max_length=20, blank=True, help_text="VAT number of the seller in whose name was asked."
    )
    outcome = models.CharField(max_length=12, choices=VatCheckOutcome.choices)
    consultation_number = models.CharField(
        max_length=40, blank=True, help_text="The register's proof that this seller asked."
    )
    name = models.CharField(
        max_length=300, blank=True, help_text="To whom the number belongs, if it says so."
    )
    address = models.CharField(max_length=500, blank=True)
    error = models.CharField(max_length=200, blank=True, help_text="Why there was no answer.")
    asked_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        verbose_name = "VAT check"
        verbose_name_plural = "VAT checks"
        constraints = [
            models.CheckConstraint(
                condition=is_one_of("outcome", list(VatCheckOutcome.values)),
                name="vat_check_outcome_is_known",
            ),
            models.CheckConstraint(
                condition=~models.Q(outcome="unavailable") | models.Q(consultation_number=""),
                name="no_answer_has_no_consultation_number",
            ),
        ]
        indexes = [models.Index(fields=["customer", "vat_number", "-id"], name="vat_check_by_number")]

    def __str__(self) -> str:
        return f"{self.vat_number} {self.outcome}"
