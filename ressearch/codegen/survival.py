"""Stochastic depth in the source: the survival probabilities of all blocks, and what a block does with its own."""

from ressearch.codegen.lines import Call


def is_shared(survival: tuple[float, ...]) -> bool:
    """Whether all blocks have one probability, which stands in their class then."""
    return len(set(survival)) == 1


def survival_list(survival: tuple[float, ...]) -> str | Call:
    """Write the list of the probabilities of all blocks, as a rule where they fall linearly."""
    count = len(survival)
    for digits in range(1, 18):
        rate = round(1 - survival[-1], digits)
        if survival == tuple(1 - rate * block / count for block in range(1, count + 1)):
            return f"survival = [1 - {rate} * block / {count} for block in range(1, {count + 1})]"
    return Call("survival = ", tuple(map(repr, survival)), brackets="[]")


def drawn(survival: tuple[float, ...]) -> str:
    """Write the condition under which a block leaves its branch out; a certain survival draws no number."""
    certain = " and self.survival < 1" if 1.0 in survival else ""
    return f"self.training{certain} and torch.rand(()) >= self.survival"
