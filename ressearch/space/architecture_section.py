"""The architecture section: axes that are fixed, searched, or searched under a condition."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from graphlib import CycleError, TopologicalSorter

from ressearch.arch import AXES, Axis, name_of
from ressearch.arch.widening import Widening
from ressearch.space.domains import Choice, Domain, FloatRange, Value, value_text
from ressearch.space.parameters import Condition, Fixed, Parameter
from ressearch.space.sections import domain, extremes
from ressearch.space.yaml_nodes import Entry

MAX_STAGES = 100
MAX_DEPTH = 10_000
"""Blocks of a stage. All blocks of a network are written down, so a slip of the pen must not ask for a billion."""


@dataclass(frozen=True)
class Slot:
    """One value of an axis as the file gives it: for one stage, or for all (stage None); `entry` None is a default."""

    axis: Axis
    stage: int | None
    entry: Entry | None
    value: Value | None = None
    domain: Domain | None = None

    @property
    def name(self) -> str:
        """Name of the parameter that searches it."""
        return self.axis.name if self.stage is None else f"{self.axis.name}_{self.stage}"

    @property
    def when(self) -> Entry | None:
        """The condition as written."""
        return self.entry.items.get("when") if self.entry is not None and self.domain is not None else None

    def takes(self, value: Value) -> bool:
        """Tell whether this slot can have a value while it is active."""
        return self.value == value if self.domain is None else self.domain.member(value) is not None


Slots = Mapping[str, list[Slot]]


def architecture_section(entry: Entry) -> tuple[int, tuple[Fixed, ...], tuple[Parameter, ...]]:
    """Read the number of stages, the fixed values and the parameters, controllers before what they control.

    Raises:
        SpaceError: For whatever is wrong in the section.
    """
    items = entry.known(("stages", *AXES))
    if "stages" not in items:
        raise entry.error("'stages' is missing, expected the number of stages, as in stages: 3")
    num_stages: int = items["stages"].scalar(int)
    if not 1 <= num_stages <= MAX_STAGES:
        raise items["stages"].error(f"1 <= stages <= {MAX_STAGES} must hold, got {num_stages}")
    slots = {name: _slots(axis, items.get(name), num_stages) for name, axis in AXES.items()}
    given = [slot for name in items if name in AXES for slot in slots[name]]
    parameters = _ordered(
        {
            slot.name: Parameter(slot.name, slot.axis.name, slot.stage, slot.domain, _conditions(slot, slots))
            for slot in given
            if slot.domain is not None
        },
        {slot.name: slot.entry for slot in given if slot.entry is not None},
    )
    _check_depth(entry, slots)
    _check_widths(entry, slots, parameters)
    defaults = [
        Fixed(name, stage, _default(axis, stage))
        for name, axis in AXES.items()
        for stage in (range(1, num_stages + 1) if axis.per_stage else (None,))
    ]
    fixed = [Fixed(slot.axis.name, slot.stage, slot.value) for slot in given if slot.domain is None]
    return num_stages, (*defaults, *fixed), parameters


def _default(axis: Axis, stage: int | None) -> Value | None:
    """Return the value of an axis that the file leaves out; every stage but the first halves the resolution."""
    if axis.name == "stride" and stage is not None and stage > 1:
        return 2
    value: Value | Enum | None = axis.default
    return name_of(value) if isinstance(value, Enum) else value


def _slots(axis: Axis, entry: Entry | None, num_stages: int) -> list[Slot]:
    """Read an axis: one slot for all stages, or one for each."""
    stages = range(1, num_stages + 1)
    if entry is None:
        return [Slot(axis, stage, None, _default(axis, stage)) for stage in (stages if axis.per_stage else (None,))]
    if not entry.is_list:
        return [_slot(axis, None, entry)]
    if not axis.per_stage:
        raise entry.error(
            "got a list, expected one value for the whole network; say {choice: [...]} to search over several"
        )
    if len(entry.elements) != num_stages:
        raise entry.error(
            f"got a list of {len(entry.elements)}, expected one entry for each of the {num_stages} stages; "
            "say {choice: [...]} to search over several values"
        )
    return [_slot(axis, stage, element) for stage, element in zip(stages, entry.elements, strict=True)]


def _slot(axis: Axis, stage: int | None, entry: Entry) -> Slot:
    if entry.is_list:
        raise entry.error("got a list, expected one value; say {choice: [...]} to search over several")
    if not entry.is_mapping:
        return Slot(axis, stage, entry, value=_value(axis, entry))
    allowed = ("choice", "int", "float", "when")
    return Slot(axis, stage, entry, domain=domain(entry, axis.kind, lambda value: _value(axis, value), allowed=allowed))


def _value(axis: Axis, entry: Entry) -> Value:
    """Read one plain value of an axis and check its range."""
    if issubclass(axis.kind, Enum):
        return entry.name(axis.names)
    value: Value = entry.scalar(axis.kind)
    try:
        axis.check(value)
    except ValueError:
        raise entry.error(f"{axis.range} must hold, got {entry.text}") from None
    return value


def _conditions(slot: Slot, slots: Slots) -> tuple[Condition, ...]:
    """Read `when`; what is decided by fixed values is dropped."""
    if slot.when is None:
        return ()
    conditions = (_condition(slot, name, entry, slots) for name, entry in slot.when.known(AXES).items())
    return tuple(condition for condition in conditions if condition is not None)


def _condition(slot: Slot, name: str, entry: Entry, slots: Slots) -> Condition | None:
    """Read one condition: in a stage it reads the same stage, else any of them; None if it always holds."""
    elements = entry.elements if entry.is_list else [entry]
    if not elements:
        raise entry.error("got an empty list, expected one or more values")
    values = {_value(AXES[name], element): element for element in elements}
    controllers = [other for other in slots[name] if slot.stage is None or other.stage in (None, slot.stage)]
    for value, element in values.items():
        if not any(other.takes(value) for other in controllers) and any(other.domain for other in controllers):
            possible = "; ".join(dict.fromkeys(_possible(other) for other in controllers))
            raise element.error(f"got {element.text}, which {name} never is; expected one of {possible}")
    fixed = [other for other in controllers if other.domain is None]
    searched = [other for other in controllers if other.domain is not None]
    if any(other.value in values for other in fixed):
        return None
    if any(isinstance(other.domain, FloatRange) and other.domain.step is None for other in searched):
        raise entry.error(f"{name} is continuous and no value of it is ever drawn twice, expected a choice or a step")
    if not searched:
        raise entry.error(f"never holds, since {name} is fixed at {', '.join(map(_possible, fixed))}")
    return Condition(name, tuple(other.name for other in searched), tuple(values))


def _possible(slot: Slot) -> str:
    if slot.domain is not None:
        return str(slot.domain)
    given = "" if slot.value is None else value_text(slot.value)
    return f"{given} (its default)" if slot.entry is None else given


def _ordered(parameters: Mapping[str, Parameter], entries: Mapping[str, Entry]) -> tuple[Parameter, ...]:
    """Put controllers before what they control, otherwise as in the file."""
    graph = {
        name: [controller for condition in parameter.when for controller in condition.parameters]
        for name, parameter in parameters.items()
    }
    try:
        order = tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        names = error.args[1]
        raise entries[names[0]].error(f"conditions run in a circle: {' needs '.join(names)}") from None
    return tuple(parameters[name] for name in order)


def _check_depth(entry: Entry, slots: Slots) -> None:
    for slot in slots["depth"]:
        if slot.entry is None:
            raise entry.error("'depth' is missing, expected the number of blocks, for all stages or for each")
        if slot.when is not None:
            raise slot.when.error("every stage has a depth, so it takes no condition")
        deepest = slot.value if slot.domain is None else max(extremes(slot.domain), key=float)
        if isinstance(deepest, int) and deepest > MAX_DEPTH:
            raise slot.entry.error(f"depth <= {MAX_DEPTH:,} must hold, got {deepest:,}")


def _check_widths(entry: Entry, slots: Slots, parameters: tuple[Parameter, ...]) -> None:
    """See to it that width and alpha are there whenever the widening rule reads them."""
    widening = slots["widening"][0]
    rules = [rule for rule in Widening if widening.takes(name_of(rule)) or (widening.when and not rule.is_pyramid)]
    by_name = {parameter.name: parameter for parameter in parameters}
    needs = {
        "width": {rule for rule in rules if not rule.is_pyramid},
        "alpha": {rule for rule in rules if rule.is_pyramid},
    }
    for name, needing in needs.items():
        names = sorted(name_of(rule) for rule in needing)
        for slot in slots[name] if needing else []:
            if slot.entry is None:
                reason = "only a pyramid decides widths itself" if name == "width" else "a pyramid grows by it"
                raise entry.error(f"{name!r} is missing, though widening can be {' or '.join(names)}; {reason}")
            conditions = by_name[slot.name].when if slot.domain is not None else ()
            covered = all(c.axis == "widening" and set(names) <= set(c.values) for c in conditions)
            if conditions and (not covered or widening.when is not None):
                place = slot.when or slot.entry
                raise place.error(
                    f"{name} must be there whenever widening is {' or '.join(names)}, expected that condition alone"
                )
    _check_alpha(slots["alpha"][0], [rule for rule in rules if rule.is_pyramid])


def _check_alpha(slot: Slot, pyramids: list[Widening]) -> None:
    for rule in pyramids:
        least = rule.least_alpha
        values: tuple[Value | None, ...] = (slot.value,)
        if slot.domain is not None:
            values = slot.domain.values if isinstance(slot.domain, Choice) else (slot.domain.low,)
        if any(isinstance(value, int | float) and value < least for value in values):
            assert slot.entry is not None
            raise slot.entry.error(f"alpha >= {least:g} must hold for {name_of(rule)}, got {slot.domain or slot.value}")
