"""What a block finds when it runs again: everything that its first run found, and afterwards what was there in between."""

import random
import signal
from collections import OrderedDict, deque
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from infsplign.engine import block_state
from infsplign.engine.block_state import BlockState


class Block(nn.Module):
    def __init__(self, **attributes):
        super().__init__()
        self.inner = nn.Linear(2, 2)
        self.register_buffer("mean", torch.zeros(2))
        for name, value in attributes.items():
            setattr(self, name, value)


def within(state, look):
    with state.restored():
        return look()


HELD = {
    "a number": (lambda: 1.0, lambda block: setattr(block, "held", 2.0), lambda block: block.held),
    "a number that is deleted": (lambda: 1.0, lambda block: delattr(block, "held"), lambda block: getattr(block, "held", None)),
    "a dictionary": (lambda: {"a": 1}, lambda block: block.held.update(a=2, b=3), lambda block: dict(block.held)),
    "a dictionary's order": (lambda: OrderedDict(a=1, b=2), lambda block: block.held.move_to_end("a"), lambda block: list(block.held)),
    "a list": (lambda: [1, 2], lambda block: block.held.append(3), lambda block: list(block.held)),
    "a list of the same length": (lambda: [1, 2], lambda block: block.held.reverse(), lambda block: list(block.held)),
    "a set": (lambda: {1, 2}, lambda block: block.held.symmetric_difference_update({2, 3}), lambda block: set(block.held)),
    "a queue": (lambda: deque([1, 2]), lambda block: block.held.rotate(), lambda block: list(block.held)),
    "an object": (
        lambda: SimpleNamespace(scale=1.0), lambda block: setattr(block.held, "scale", 2.0), lambda block: block.held.scale
    ),
    "an object that is another": (
        lambda: SimpleNamespace(scale=1.0), lambda block: setattr(block, "held", SimpleNamespace(scale=2.0)), lambda block: block.held.scale
    ),
    "three containers deep": (
        lambda: [{"a": [1]}], lambda block: block.held[0]["a"].append(2), lambda block: list(block.held[0]["a"])
    ),
    "an object in a list": (
        lambda: [SimpleNamespace(scale={"a": 1})], lambda block: block.held[0].scale.update(a=2), lambda block: block.held[0].scale["a"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize(("make", "change", "look"), HELD.values(), ids=HELD)
def test_attributes_are_what_they_were(make, change, look, inner):
    block = Block()
    owner = block.inner if inner else block
    owner.held = make()
    before, held = look(owner), owner.held
    state = BlockState(block)
    change(owner)
    after = look(owner)
    assert before != after
    for _ in range(2):
        assert within(state, lambda: look(owner)) == before
        assert within(state, lambda: owner.held) is held
        assert look(owner) == after


def test_what_lies_deeper_is_not_looked_for():
    block = Block(held=[[[[[1]]]]])
    state = BlockState(block)
    block.held[0][0][0][0].append(2)
    assert within(state, lambda: list(block.held[0][0][0][0])) == [1, 2]


def test_a_function_finds_its_attributes():
    def hook(*_):
        hook.calls += 1

    hook.calls = 0
    block = Block()
    block.register_forward_hook(hook)
    state = BlockState(block)
    hook()
    assert within(state, lambda: (hook(), hook.calls)[1]) == 1
    assert hook.calls == 1


def test_what_was_seen_from_afar_is_looked_into_again():
    """The list is met at the end of a long way first, and then directly."""
    shared = {"list": [1]}
    block = Block(far=[[[shared]]], near=shared)
    state = BlockState(block)
    shared["list"].append(2)
    assert within(state, lambda: list(shared["list"])) == [1]


def test_a_replaced_forward_finds_its_variables():
    block, counts, total = Block(), {"calls": 0}, 0
    own = block.forward = lambda x: x

    def forward(x, counts=counts, *, named=[]):  # noqa: B006
        nonlocal total
        named.append(1)
        counts["calls"] = len(named)
        total += 1
        return own(x)

    block.forward = forward
    block.inner.forward = partial(lambda old, x: forward(x), block.inner.forward)
    state = BlockState(block)
    block(1)
    block.inner(1)
    assert within(state, lambda: (block(1), counts["calls"], total)) == (1, 1, 1)
    assert (counts, total) == ({"calls": 2}, 2)


def test_the_state_between_comes_back_after_an_error_too():
    block = Block(held=[1])
    state = BlockState(block)
    block.held.append(2)
    with pytest.raises(KeyboardInterrupt), state.restored():
        assert block.held == [1]
        block.held.append(3)
        raise KeyboardInterrupt
    assert block.held == [1, 2]


def test_containers_that_stay_the_same_are_not_written():
    """A dictionary that is being iterated must not change, and the order of a module's hooks is that of their registration."""

    class Counted(list):
        writes = 0

        def clear(self):
            self.writes += 1
            super().clear()

        def copy(self):
            return Counted(self)

    block = Block(held=Counted([1, 2]))
    state = BlockState(block)
    with state.restored():
        assert block.held.writes == 0
    block.held.append(3)
    with state.restored():
        assert block.held == [1, 2]
        assert block.held.writes == 1


def test_weights_buffers_and_modules_that_were_replaced_are_the_first_ones_again():
    block = Block()
    weight, mean, inner = block.inner.weight, block.mean, block.inner
    state = BlockState(block)
    block.inner.weight, block.mean = nn.Parameter(torch.ones(2, 2)), torch.ones(2)
    with state.restored():
        assert block.inner.weight is weight
        assert block.mean is mean
    block.inner = other = nn.Identity()
    with state.restored():
        assert block.inner is inner
    assert block.inner is other


def test_what_a_backward_pass_or_a_file_needs_is_left_alone():
    block = Block()
    state = BlockState(block)
    handle = block.register_full_backward_hook(lambda *_: None)
    saved = block.register_state_dict_pre_hook(lambda *_: None)
    with state.restored():
        assert handle.id in block._backward_hooks
        assert saved.id in block._state_dict_pre_hooks


HOOKS = {
    "before": lambda block, hook: block.register_forward_pre_hook(hook),
    "before, with keywords": lambda block, hook: block.register_forward_pre_hook(hook, with_kwargs=True),
    "after": lambda block, hook: block.register_forward_hook(hook),
    "after, with keywords": lambda block, hook: block.register_forward_hook(hook, with_kwargs=True),
    "after, always": lambda block, hook: block.register_forward_hook(hook, always_call=True),
}


RAN = []
"""Not a variable of the hooks, which would be restored as well."""


@pytest.mark.parametrize("register", HOOKS.values(), ids=HOOKS)
def test_hooks_are_those_of_the_first_run(register):
    def ran():
        RAN.clear()
        block(1)
        return list(RAN)

    block = Block()
    block.forward = lambda x: x
    first = register(block, lambda *_: RAN.append("first"))
    state = BlockState(block)
    first.remove()
    register(block, lambda *_: RAN.append("second"))
    for _ in range(2):
        assert within(state, ran) == ["first"]
        assert ran() == ["second"]


class Counter:
    def __init__(self):
        self.count, self.seen = 0, []

    def hook(self, *_):
        self.count += 1
        self.seen.append(self.count)


def by_closure(counter):
    count = 0

    def hook(*_):
        nonlocal count
        count += 1
        counter.hook()
        counter.closed = count

    return hook


COUNTING = {
    "a method": lambda counter: counter.hook,
    "a variable of a function": by_closure,
    "an argument": lambda counter: partial(lambda mine, *_: mine.hook(), counter),
    "a keyword": lambda counter: partial(lambda *_, mine: mine.hook(), mine=counter),
    "a method with further arguments": lambda counter: partial(counter.hook, None),
}


@pytest.mark.parametrize("register", [HOOKS["before"], HOOKS["after"]])
@pytest.mark.parametrize("make", COUNTING.values(), ids=COUNTING)
def test_a_hook_that_counts_finds_its_first_count(make, register):
    block, counter = Block(), Counter()
    block.forward = lambda x: x
    register(block, make(counter))
    block(1)
    state = BlockState(block)
    for _ in range(2):
        block(1)
    assert (counter.count, counter.seen) == (3, [1, 2, 3])
    for _ in range(2):
        with state.restored():
            assert (counter.count, counter.seen) == (1, [1])
            block(1)
            assert (counter.count, counter.seen) == (2, [1, 2])
            assert getattr(counter, "closed", 2) == 2
        assert (counter.count, counter.seen) == (3, [1, 2, 3])


@pytest.mark.parametrize("filled", [False, True])
def test_a_variable_without_a_value_has_none_again(filled):
    """Cells of a closure may be empty: before the first assignment, and after `del`."""

    def made():
        if filled:
            value = 1

        def hook(*_):
            return value

        def put(new):
            nonlocal value
            if new is None:
                del value
            else:
                value = new

        return hook, put

    hook, put = made()
    block = Block()
    block.register_forward_hook(hook)
    state = BlockState(block)
    put(None if filled else 2)
    if filled:
        assert within(state, hook) == 1
        with pytest.raises(NameError):
            hook()
    else:
        with state.restored(), pytest.raises(NameError):
            hook()
        assert hook() == 2


@pytest.mark.parametrize("given", ["argument", "keyword", "list", "attribute", "twice"])
def test_generators_draw_the_same_numbers_again(given):
    """Of the arguments, also in a list, as diffusers takes them, and of the block."""
    generator = torch.Generator().manual_seed(1)
    block = Block(generator=generator) if given == "attribute" else Block()
    args = {"argument": (1, generator), "list": ([generator],), "twice": (generator, generator)}.get(given, ())
    state = BlockState(block, args, {"generator": generator} if given == "keyword" else None)
    first = torch.rand(3, generator=generator)
    now = generator.get_state()
    for _ in range(2):
        assert torch.equal(within(state, lambda: torch.rand(3, generator=generator)), first)
        assert torch.equal(generator.get_state(), now)


DRAWS = {
    "random": (random, random.random),
    "numpy": (np.random, np.random.random),
    "random's own": (own := random.Random(1), own.random),
    "numpy's own": (new := np.random.default_rng(1), new.random),
    "numpy's bits": (bits := np.random.PCG64(1), np.random.Generator(bits).random),
    "numpy's older": (old := np.random.RandomState(1), old.random),
}


@pytest.mark.parametrize("held", ["attribute", "closure", "method"])
@pytest.mark.parametrize("kind", DRAWS)
def test_so_do_those_of_numpy_and_python(kind, held):
    generator, draw = DRAWS[kind]
    block = Block(held=generator if held == "attribute" else draw) if held != "closure" else Block()
    if held == "closure":
        block.register_forward_hook(lambda *_: generator)
    state, first, now = BlockState(block), draw(), draw()
    with state.restored():
        assert [draw(), draw()] == [first, now]
    assert draw() not in (first, now)


def test_an_interrupt_while_the_state_between_comes_back_leaves_nothing():
    """It may come anywhere in the loop that puts it back."""

    class Listed(list):
        def __len__(self):
            if looked:
                signal.raise_signal(signal.SIGINT)
            return super().__len__()

    looked = []
    block = Block(first=[1], odd=Listed([1]), last=[1])
    state = BlockState(block)
    block.first.append(2)
    block.last.append(2)
    with pytest.raises(KeyboardInterrupt), state.restored():
        assert (block.first, block.last) == ([1], [1])
        looked.append(True)
    assert (block.first, block.last) == ([1, 2], [1, 2])


def test_an_interrupt_before_it_is_put_off_puts_everything_back_too(monkeypatch):
    """Lists, variables and generators."""

    def late():
        raise KeyboardInterrupt

    count, generator = 0, torch.Generator().manual_seed(1)
    block = Block(held=[1], generator=generator)

    def hook(*_):
        nonlocal count
        count += 1

    block.register_forward_hook(hook)
    state = BlockState(block)
    hook()
    block.held.append(2)
    torch.rand(1, generator=generator)
    now = generator.get_state()
    monkeypatch.setattr(block_state, "uninterrupted", late)
    with pytest.raises(KeyboardInterrupt), state.restored():
        assert (block.held, count) == ([1], 0)
    assert (block.held, count) == ([1, 2], 1)
    assert torch.equal(generator.get_state(), now)


def test_numbers_of_the_system_are_not_restored():
    BlockState(Block(generator=random.SystemRandom()))


def test_an_argument_s_containers_are_restored_and_tensors_are_not_copied():
    x, options = torch.zeros(2), {"scales": [1]}
    state = BlockState(Block(), (x,), {"options": options})
    x += 1
    options["scales"].append(2)
    with state.restored():
        assert options == {"scales": [1]}
        assert x.tolist() == [1, 1]
    assert options == {"scales": [1, 2]}
