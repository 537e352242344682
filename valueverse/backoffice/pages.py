"""The base of pages that show an object with everything around it, and of the verbs on it."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.decorators import action

from billing.platform import display
from billing.platform.admin import ReadOnlyAdmin
from valueverse.backoffice.making import Creation, CreationPage
from valueverse.backoffice.verbs import Verb, VerbPage


def new_button(create: Creation) -> Any:
    """The list's button that leads to the page that makes an object."""

    def new_object(admin: Any, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse(f"admin:{admin.opts.app_label}_{admin.opts.model_name}_add"))

    return action(new_object, description=create.label, url_path="new", permissions=["create"], icon="add")


class ObjectPage(ReadOnlyAdmin):
    """An admin whose change page is a page of its own: `page_template` with `page_context`, and its verbs."""

    page_template = ""
    verbs: Sequence[Verb] = ()
    create: Creation | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A page whose objects are made here gets the button for it on its list."""
        super().__init_subclass__(**kwargs)
        if cls.create is not None and "create" in vars(cls):
            cls.new_object = new_button(cls.create)
            cls.actions_list = ["new_object"]

    def has_create_permission(self, request: HttpRequest) -> bool:
        """Who sees the list's button for a new object; by a name of ours, since Unfold looks others up at start."""
        return self.create is not None and request.user.has_perm(self.create.permission)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page that makes an object, where there is one."""
        if self.create is None:
            raise PermissionDenied
        return CreationPage(self.admin_site, request, self.create).answer()

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        verbs = [
            path(
                f"<int:pk>/{verb.slug}/", view(partial(self.verb_view, verb=verb)), name=f"{name}_{verb.slug}"
            )
            for verb in self.verbs
        ]
        return [*verbs, *super().get_urls()]

    def find(self, request: HttpRequest, pk: Any) -> Any:
        """The object, for somebody who may see it."""
        row = self.get_object(request, str(pk))
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        display.use_number_format(self.number_format_of(row))
        return row

    def verb_view(self, request: HttpRequest, pk: int, verb: Verb) -> HttpResponse:
        if (
            request.method == "POST" and self.get_object(request, str(pk)) is None
        ):  # removed by the first click
            messages.warning(request, "Nothing was done: it is gone already.")
            return HttpResponseRedirect(reverse("admin:index"))
        return VerbPage(self.admin_site, request, verb, self.find(request, pk)).answer()

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.find(request, object_id)
        if request.method != "GET":
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": str(row),
            "row": row,
            "verbs": self.offered(request, row),
            "is_fullwidth": "1",
            "has_view_permission": True,
            **self.page_context(request, row),
        }
        return TemplateResponse(request, self.page_template, context)

    def offered(self, request: HttpRequest, row: Any) -> list[Verb]:
        """The verbs that this person may use and that make sense now."""
        return [
            verb for verb in self.verbs if request.user.has_perm(verb.permission) and verb.is_offered(row)
        ]

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """What the page shows."""
        raise NotImplementedError
