"""Published billing cases answered by the product's own calculation, without a database.

A case is a JSON object with a kind: a price and a quantity, a start and a billing day, lines and tax rates. Each kind
has one module here that turns the case into values of `billing.core` and its answer back into JSON; nothing is computed
here that core computes. A seller's own price list can be kept as cases and checked before it is published.
"""
