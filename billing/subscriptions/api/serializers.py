"""What the API of subscriptions reads and writes."""

from rest_framework import serializers

from billing.core.lifecycles import SubscriptionStatus
from billing.platform.api.fields import InstantField, PublicIdOf, QuantityField, TextField
from billing.platform.api.serializers import Input, Output, Query


class SubscriptionInput(Input):
    """A new subscription."""

    customer = TextField(max_length=36, help_text="Id of the customer.")
    plan_version = TextField(required=False, max_length=36, help_text="Id of a published version.")
    plan = TextField(
        required=False, max_length=60, help_text="Code of a plan, for its newest published version."
    )
    started_at = InstantField(required=False, help_text="First instant of service; now unless told.")
    external_id = TextField(required=False, allow_null=True, max_length=120, help_text="Your own key.")
    legal_entity = TextField(
        required=False, max_length=36, help_text="Id of the seller; the customer's unless told."
    )


class CancelInput(Input):
    """When service ends."""

    when = serializers.ChoiceField(
        choices=[("period_end", "At the end of the current period"), ("now", "At once")],
        help_text="period_end: service runs on to the end of the current period. now: it ends at once.",
    )


class SubscriptionItemOutput(Output):
    """One price of the plan version as this subscription has it."""

    id = TextField(source="public_id")
    price = PublicIdOf()
    code = TextField(source="price.code")
    quantity = QuantityField(help_text="Units of a fee; usage takes its quantity from the meter.")


class SubscriptionOutput(Output):
    """A customer's agreement to a plan version."""

    id = TextField(source="public_id")
    external_id = TextField(allow_null=True)
    customer = PublicIdOf()
    legal_entity = PublicIdOf()
    plan = TextField(source="plan_version.plan.code", help_text="Code of the plan.")
    plan_version = PublicIdOf()
    currency = TextField()
    time_zone = TextField()
    status = serializers.ChoiceField(choices=[(str(value), str(value)) for value in SubscriptionStatus])
    started_at = InstantField()
    anchor_on = serializers.DateField(help_text="Day from which all periods are counted.")
    cancel_at = InstantField(allow_null=True, help_text="When service ends, if that is decided.")
    canceled_at = InstantField(allow_null=True)
    next_billing_at = InstantField(allow_null=True, help_text="When something is due next.")
    items = SubscriptionItemOutput(many=True)
    created_at = InstantField()


class SubscriptionQuery(Query):
    """Which subscriptions to list."""

    customer = TextField(required=False, max_length=36, help_text="Id of a customer.")
    plan = TextField(required=False, max_length=60, help_text="Code of a plan.")
    external_id = TextField(required=False, max_length=120)
    status = serializers.ChoiceField(
        required=False, choices=[(str(value), str(value)) for value in SubscriptionStatus]
    )
