"""The addresses of the portal."""

from django.urls import path

from valueverse.portal.views import account, company, documents, home, invoices, payments, signing_in, usage

app_name = "portal"
urlpatterns = [
    path("", home.home, name="home"),
    path("sign-in/", signing_in.sign_in, name="sign-in"),
    path("sign-out/", signing_in.sign_out, name="sign-out"),
    path("language/", signing_in.choose_language, name="language"),
    path("link/<str:token>/", signing_in.link, name="link"),
    path("invitation/<str:token>/", signing_in.invitation, name="invitation"),
    path("documents/<str:token>/", documents.document, name="document"),
    path("documents/<str:token>/pdf/", documents.document_pdf, name="document-pdf"),
    path("usage/", usage.usage, name="usage"),
    path("usage/export.csv", usage.export, name="usage-export"),
    path("invoices/", invoices.invoices, name="invoices"),
    path("invoices/<str:invoice_id>/", invoices.invoice, name="invoice"),
    path("invoices/<str:invoice_id>/pdf/", invoices.invoice_pdf, name="invoice-pdf"),
    path("invoices/<str:invoice_id>/pay/", payments.pay, name="pay"),
    path("credit-notes/<str:credit_note_id>/pdf/", invoices.credit_note_pdf, name="credit-note-pdf"),
    path("payments/", payments.payments, name="payments"),
    path("payments/<str:payment_id>/", payments.payment, name="payment"),
    path("subscriptions/", home.subscriptions, name="subscriptions"),
    path("company/", company.company, name="company"),
    path("company/edit/", company.edit, name="company-edit"),
    path("company/contacts/add/", company.add_contact, name="contact-add"),
    path("company/contacts/<str:contact_id>/", company.edit_contact, name="contact-edit"),
    path("company/contacts/<str:contact_id>/remove/", company.remove_contact, name="contact-remove"),
    path("account/", account.account, name="account"),
    path("account/customer/", account.choose_customer, name="choose-customer"),
    path("account/password/", account.password, name="password"),
    path("account/sessions/end-others/", account.end_other_sessions, name="sessions-end"),
    path("account/sessions/<str:session_id>/end/", account.end_session, name="session-end"),
]
