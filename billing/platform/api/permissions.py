"""Who may call what. One rule: keys act by scope, staff by model permissions, and nobody else does.

- An API key needs the scope that the view names for the method.
- A person needs to be staff and to hold the Django permission that the view names for the method.
- A key bound to a customer comes in only where the view says so (`bound_keys`), and sees that customer alone.
- A method for which a view names nothing is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.views import View
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from billing.platform.api.principals import Principal, staff_user_of
from billing.platform.scopes import Scope


@dataclass(frozen=True, slots=True)
class Needs:
    """What one method of a view needs: a scope from keys, a Django permission from staff.

    bound_keys: whether a key bound to one customer may call it. Only where every object is looked up through
    `visible_customer`.
    """

    scope: Scope
    permission: str
    bound_keys: bool = False


class HasAccess(BasePermission):
    """Asks the view's `access` table. A refusal says what is missing, in `message`, which DRF answers with."""

    message: str

    def has_permission(self, request: Request, view: View) -> bool:
        access: Mapping[str, Needs] = getattr(view, "access", {})
        needs = access.get("GET" if request.method == "HEAD" else str(request.method))
        if needs is None:
            return request.method not in [
                method.upper() for method in view.http_method_names if hasattr(view, method)
            ]
        if isinstance(request.user, Principal):
            self.message = f"This key needs the scope {needs.scope}."
            if needs.scope not in request.user.scopes:
                return False
            self.message = "This key acts for one customer; this needs a key for all customers."
            return request.user.customer_pk is None or needs.bound_keys
        user = staff_user_of(request)
        self.message = (
            f"This needs the permission {needs.permission}." if user is not None else "This is for staff."
        )
        return user is not None and user.has_perm(needs.permission)
