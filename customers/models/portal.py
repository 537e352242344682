"""Who at a customer may open its portal, and the links that let them in."""

from django.db import models
from django.db.models import F, Q

from billing.platform.fields import PublicIdField, is_one_of
from customers.models.customers import Customer
from customers.models.users import User


class PortalRole(models.TextChoices):
    MANAGER = "manager", "Manager: sees everything, pays, changes company data"
    VIEWER = "viewer", "Viewer: sees everything, changes nothing"


class PortalMembership(models.Model):
    """A person's access to one customer's portal. A person may have several, of different customers."""

    public_id = PublicIdField(prefix="mem")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="portal_memberships")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="portal_memberships")
    role = models.CharField(max_length=12, choices=PortalRole.choices, default=PortalRole.VIEWER)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "customer"], name="one_portal_membership_per_person_and_customer"
            ),
            models.CheckConstraint(
                condition=is_one_of("role", list(PortalRole.values)), name="portal_role_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.customer_id} {self.role}"


class PortalLinkKind(models.TextChoices):
    INVITATION = "invitation", "Invitation"
    SIGN_IN = "sign_in", "Sign in"


class PortalLink(models.Model):
    """A link that was mailed and works once, until it expires. Only the hash of its token is stored."""

    public_id = PublicIdField(prefix="plk")
    kind = models.CharField(max_length=12, choices=PortalLinkKind.choices)
    token_hash = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the token.")
    email = models.EmailField(max_length=254, help_text="Where the link was sent.")
    name = models.CharField(max_length=200, blank=True, help_text="Who was invited.")
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, related_name="+", help_text="Who signs in with it."
    )
    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, null=True, related_name="+", help_text="What it invites to."
    )
    role = models.CharField(max_length=12, choices=PortalRole.choices, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="First instant at which it no longer works.")
    used_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was used, or ended by a newer one."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="invitation", customer__isnull=False, user=None) & ~Q(role="")
                | Q(kind="sign_in", user__isnull=False, customer=None, role=""),
                name="portal_link_kind_has_its_fields",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="portal_link_expires_after_it_was_made"
            ),
        ]
        indexes = [models.Index(fields=["user", "-created_at"], name="portal_link_by_person")]

    def __str__(self) -> str:
        return f"{self.kind} {self.public_id}"
