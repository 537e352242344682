"""People and keys that sign in."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models.functions import Lower

from billing.platform.fields import PublicIdField


class UserManager(BaseUserManager["User"]):
    """Looks people up by mail address, whatever its case."""

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person: staff and portal people are one kind of user with different memberships."""

    public_id = PublicIdField(prefix="usr")
    email = models.EmailField(max_length=254, unique=True, help_text="Signs in with this address.")
    name = models.CharField(max_length=200, blank=True)
    is_staff = models.BooleanField(default=False, help_text="May sign in to the back office.")
    is_active = models.BooleanField(default=True, help_text="Clear this instead of deleting a person.")
    date_joined = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="one_user_per_mail_address")]
        indexes = [
            models.Index(OpClass(Lower("email"), name="text_pattern_ops"), name="user_by_email"),
            models.Index(
                OpClass(Lower("name"), name="text_pattern_ops"),
                name="staff_by_name",
                condition=models.Q(is_staff=True),
            ),
        ]
        permissions = [("manage_people", "Can invite staff, change their groups and let them go")]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name or self.email


class ApiKey(models.Model):
    """A secret that lets a program in, with scopes; only its hash is stored (S28).

    A key bound to a customer sees and touches that customer alone.
    """

    public_id = PublicIdField(prefix="key")
    name = models.CharField(max_length=120, help_text="What uses this key, for example 'metering gateway'.")
    prefix = models.CharField(
        max_length=16, unique=True, help_text="First characters, shown to tell keys apart."
    )
    secret_hash = models.CharField(max_length=64, help_text="SHA-256 of the secret.")
    scopes = ArrayField(
        models.CharField(max_length=40), help_text="What the key may do, for example usage:write."
    )
    customer = models.ForeignKey("customers.Customer", on_delete=models.PROTECT, null=True, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="Kept to the minute.")

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"
