"""The payloads of the gateware's streams.

An *event* is a spike, named by its address, or the marker that ends a tick.  Where inputs are graded an event has a
value, too, by which its weights are multiplied.  A *row* is what one event does to one group of neurons: a weight
(and a delay) for each lane.
"""

from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib import data

from .layout import address_bits
from .plan import ArrayPlan


def event_layout(size: int, value_bits: int = 1) -> data.StructLayout:
    """An event of a source with `size` neurons.

    Members: ``address``, the neuron that spiked (without meaning in a marker); ``marker``, end of tick; with
    `value_bits` above 1, ``value``.
    """
    members = {"address": unsigned(address_bits(size)), "marker": unsigned(1)}
    return data.StructLayout(members | _value(value_bits))


def merged_layout(array: ArrayPlan) -> data.StructLayout:
    """An event of any of an array's channels.

    Members: ``channel``, its index in the plan; ``address``; ``marker``, end of tick, on all channels where events
    take all groups in order, else on this one; ``value`` where the array has graded inputs.
    """
    widest = max(channel.source_size for channel in array.channels)
    members = {
        "channel": unsigned(address_bits(len(array.channels))),
        "address": unsigned(address_bits(widest)),
        "marker": unsigned(1),
    }
    return data.StructLayout(members | _value(array.value_bits))


def row_layout(array: ArrayPlan) -> data.StructLayout:
    """A row of synapses, or the end of a tick.

    Members: ``group``, counting 0 … groups − 1 for each event where the array takes them in order; ``weights``, one a
    lane, signed; ``delays``, one a lane, in ticks (absent without a ring); ``value``, which multiplies the weights
    (absent without graded inputs); ``marker``, end of tick: the rest is void.
    """
    members = {
        "group": unsigned(address_bits(array.groups)),
        "weights": data.ArrayLayout(signed(array.weight_bits), array.lanes),
        "marker": unsigned(1),
    }
    if array.ring_ticks > 1:
        members["delays"] = data.ArrayLayout(unsigned(address_bits(array.ring_ticks)), array.lanes)
    return data.StructLayout(members | _value(array.value_bits))


def current_layout(array: ArrayPlan) -> data.StructLayout:
    """A tick's sums of weights for one group.

    Members: ``group``; ``values``, one a lane, signed.
    """
    return data.StructLayout(
        {
            "group": unsigned(address_bits(array.groups)),
            "values": data.ArrayLayout(signed(array.accumulator_bits), array.lanes),
        }
    )


def trace_layout(array: ArrayPlan) -> data.StructLayout:
    """What one group of neurons did in a tick.

    Members: ``group``; ``spikes``, a bit a lane; and each state of the kind (``membrane``, …), a number a lane.
    """
    states = {
        state.name: data.ArrayLayout(Shape(state.bits, state.signed), array.lanes)
        for state in array.population.neuron.states
    }
    return data.StructLayout(
        {"group": unsigned(address_bits(array.groups)), "spikes": unsigned(array.lanes), **states}
    )


def found_layout(array: ArrayPlan) -> data.StructLayout:
    """What one group of neurons has kept from the tick before.

    Members: ``group``; ``membranes``, one a lane.
    """
    membrane = array.population.neuron.states[0]
    shape = Shape(membrane.bits, membrane.signed)
    return data.StructLayout(
        {
            "group": unsigned(address_bits(array.groups)),
            "membranes": data.ArrayLayout(shape, array.lanes),
        }
    )


def _value(bits: int) -> dict[str, Shape]:
    """The member ``value``, where there are values."""
    return {"value": unsigned(bits)} if bits > 1 else {}
