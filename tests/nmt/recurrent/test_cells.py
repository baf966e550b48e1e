from __future__ import annotations

import pytest
import torch

from mtkit.nmt.model import CELLS
from mtkit.nmt.recurrent.cells import STEPS, weights_of


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_step_equals_torch(cell: str) -> None:
    torch.manual_seed(1)
    layer = CELLS[cell](3, 5, batch_first=True).double()
    x = torch.randn(2, 7, 3, dtype=torch.float64)
    s = torch.zeros(2, 10 if cell == "lstm" else 5, dtype=torch.float64)
    states, w = [], weights_of(layer)
    for t in range(7):
        s, _ = STEPS[cell](w, w.read(x[:, t]), s)
        states.append(s)
    out, last = layer(x)
    torch.testing.assert_close(torch.stack(states, 1)[..., :5], out)
    whole = torch.cat(last, -1)[0] if cell == "lstm" else last[0]
    torch.testing.assert_close(states[-1], whole)


def test_gates_follow_the_equations() -> None:
    torch.manual_seed(1)
    w = weights_of(CELLS["lstm"](3, 5, batch_first=True))
    x, s = torch.randn(2, 3), torch.randn(2, 10)
    after, gates = STEPS["lstm"](w, w.read(x), s)
    c, c_after = s[:, 5:], after[:, 5:]
    candidate = (c_after - gates["forget"] * c) / gates["input"]
    assert candidate.abs().max() < 1
    torch.testing.assert_close(after[:, :5], gates["output"] * c_after.tanh())
    w = weights_of(CELLS["gru"](3, 5, batch_first=True))
    after, gates = STEPS["gru"](w, w.read(x), c)
    new = (after - gates["update"] * c) / (1 - gates["update"])
    assert new.abs().max() < 1
