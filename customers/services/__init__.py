"""What can be done to customers, legal entities, people, keys and clocks."""

from customers.services.numbering import IssueDateBeforeLast, NumberSeriesMissing, NumberTaken, take_number

__all__ = ["IssueDateBeforeLast", "NumberSeriesMissing", "NumberTaken", "take_number"]
