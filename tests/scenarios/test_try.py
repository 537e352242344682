import pytest
from tests.scenarios.story import *


@pytest.mark.django_db
def test_it():
    s = Story()
    c = s.customer()
    s.subscribe(c, s.version(factories.fee(), usage()))
    i = s.bill_one()
    print(lines(i), amounts(i), entry(i.public_id))
    s.use(c, utc(2023, 11, 1, 0, 0), 100)
    import time

    t = time.time()
    s.follow_up()
    print(time.time() - t)
    s.advance(DEC_1)
    s.close(NOVEMBER)
    i = s.bill_one()
    print(lines(i), amounts(i), entry(i.public_id), accruals(c))
    s.follow_up()
    print(s.books(date(2023, 12, 1)))
    assert is_sound()
