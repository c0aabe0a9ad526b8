"""The mutants' tool: equal seeds draw equal mutants, each parses and differs from what it was made of."""

from __future__ import annotations

import ast

from tests.mutants.mutate import AREAS, ROOT, applied, mutants, sample


def test_a_sample_is_drawn_by_its_seed() -> None:
    drawn = sample(ROOT, 7)
    assert drawn == sample(ROOT, 7)
    assert drawn != sample(ROOT, 8)
    assert len(drawn) == sum(count for _, count in AREAS.values()) >= 200


def test_every_mutant_of_a_file_is_another_program() -> None:
    file = "execution/vm/kernel/journal.py"
    text = (ROOT / file).read_text()
    found = mutants(ROOT, file)
    assert {"compare", "constant", "dropped call", "sum"} <= {mutant.kind for mutant in found}
    for mutant in found:
        assert ast.dump(ast.parse(applied(text, mutant))) != ast.dump(ast.parse(text)), mutant.name
