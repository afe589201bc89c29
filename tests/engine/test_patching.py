"""Replaced attributes come back."""

import pytest

from infsplign.engine.patching import replaced_attribute


def test_a_replaced_attribute_comes_back_as_it_was():
    class Owner:
        def method(self):
            return 1

    owner = Owner()
    with replaced_attribute(owner, "method", lambda: 2):
        assert owner.method() == 2
    assert vars(owner) == {}
    mine = owner.method = lambda: 3
    with pytest.raises(KeyError), replaced_attribute(owner, "method", lambda: 2):
        raise KeyError
    assert owner.method is mine
