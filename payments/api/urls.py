"""The addresses of this app under /api/v1/."""

from billing.platform.api.views import endpoint
from payments.api import views

urlpatterns = [
    *endpoint("payments", views.PaymentList, "payments"),
    *endpoint("payments/<str:payment_id>", views.PaymentDetail, "payment"),
    *endpoint("payments/<str:payment_id>/refunds", views.RefundPayment, "payment-refunds"),
    *endpoint("payment-methods", views.PaymentMethodList, "payment-methods"),
    *endpoint("invoices/<str:invoice_id>/pay", views.PayInvoice, "invoice-pay"),
]
