"""Lists as people keep them: a filter, columns and an order under a name."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from billing.platform.fields import PublicIdField
from customers.models.users import User


class SavedView(models.Model):
    """A view of one list, for its owner alone or for everybody who may see the list."""

    public_id = PublicIdField(prefix="vie")
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="saved_views")
    list_name = models.CharField(max_length=80, help_text="Which list, for example invoices.invoice.")
    name = models.CharField(max_length=80)
    query = models.CharField(
        max_length=2000, blank=True, help_text="Filter, columns and order, as the address has them."
    )
    is_shared = models.BooleanField(default=False, help_text="Everybody who may see the list finds it there.")
    created_at = models.DateTimeField()

    class Meta:
        permissions = [
            ("share_view", "Can share saved views of lists"),
            ("export_list", "Can export lists"),
        ]
        constraints = [
            models.UniqueConstraint(
                "owner", "list_name", Lower("name"), name="one_saved_view_per_person_list_and_name"
            ),
            models.UniqueConstraint(
                "list_name",
                Lower("name"),
                condition=Q(is_shared=True),
                name="one_shared_view_per_list_and_name",
            ),
            models.CheckConstraint(
                condition=~Q(name="") & ~Q(list_name=""), name="saved_view_has_a_name_and_a_list"
            ),
        ]
        indexes = [models.Index(fields=["list_name", "owner"], name="saved_view_by_list")]

    def __str__(self) -> str:
        return self.name
