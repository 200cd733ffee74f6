"""Whether a board, by what it says that it is, runs a network."""

from __future__ import annotations

from lifline.network import Network
from lifline.storage import digest

from .host import Host, Request
from .image import NO_IMAGE, UNFINISHED
from .line import BoardError
from .protocol import DIGEST_BYTES, VERSION, Command, Identity, Kind

#: Of no network.
NO_DIGEST = bytes(DIGEST_BYTES)

#: What boards say in the place of a digest while they hold no network's weights.
_EMPTY = {
    NO_DIGEST: "the board holds no known weights: none were loaded yet, or learning was cut off: load them "
    "with  lifline run --load NETWORK",
    NO_IMAGE: "the board has found no weights of its build in its flash: write them with  lifline flash BUILD, or load "
    "them with  lifline run --load NETWORK",
    UNFINISHED: "the weights in the board's flash are damaged, and were not used: write them anew with  lifline flash "
    "BUILD, or load them with  lifline run --load NETWORK",
}


def check_shape(identity: Identity, network: Network) -> None:
    """Refuse a network of another shape."""
    sizes = tuple(population.size for population in network.populations)
    theirs = tuple(size for size, _ in identity.populations)
    if (identity.inputs, identity.input_bits, theirs) != (
        network.inputs,
        network.input_bits,
        sizes[: len(theirs)],
    ):
        raise BoardError(
            f"the board runs a network of {identity.inputs} inputs and populations of "
            f"{', '.join(map(str, theirs))} neurons, not {network.inputs} and {', '.join(map(str, sizes))}: "
            "write the bitstream of this network"
        )


def check_digest(identity: Identity, network: Network) -> None:
    """Refuse a board that runs something else."""
    check_shape(identity, network)
    if identity.digest != digest(network)[:DIGEST_BYTES]:
        check_known(identity)
        raise BoardError(
            f"the board runs a network of the same shape with the digest {identity.digest.hex()[:12]}…, this one's "
            f"is {digest(network).hex()[:12]}…: write its bitstream, or load its weights"
        )


def check_known(identity: Identity) -> None:
    """Refuse a board that holds no weights that are known."""
    if identity.digest in _EMPTY:
        raise BoardError(_EMPTY[identity.digest])


def identify(host: Host) -> Identity:
    """What a board is.

    Raises
    ------
    BoardError
        If it does not answer, or speaks another version of the protocol.
    """

    def read(data: bytes, events: bytes) -> Identity:
        try:
            return Identity.of(data)
        except ValueError:
            raise BoardError(
                "the board's identity cannot be read: build its bitstream with this lifline"
            ) from None

    ((_, identity),) = host.ask([Request([(Command.IDENTIFY, b"")], Kind.IDENTITY, read)])
    assert isinstance(identity, Identity)
    if identity.protocol != VERSION:
        raise BoardError(
            f"the board speaks version {identity.protocol} of the protocol, this lifline {VERSION}: build its "
            "bitstream anew"
        )
    return identity


def name(host: Host, digest: bytes, *, once: bool = False) -> None:
    """Give a board a digest; it says of whom it is by the identity, and not at all to this.

    Raises
    ------
    Interrupted
        With `once`, if it has ended the session since the last question.
    """
    request = Request([(Command.NAME, digest)], None, lambda data, events: None)
    list(host.ask([request], once=once))
