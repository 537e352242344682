"""The pages of the back office that show several apps at once, and the verbs on them.

They live above all apps because an invoice's page shows its payments, its ledger entries and its mails. Each verb is
a page of its own that shows the figures and the effect on the books, then calls one service; no rule lives here.
"""
