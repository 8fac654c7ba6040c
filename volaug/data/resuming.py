"""Where a stream stands, so that it, or another process, can go on from there."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from .. import checks
from ..serialization import shown
from ..threads.ranks import Shard
from .feeding import Feeding
from .samples import SampleMaker

VERSION = 1

MAX_BATCHES = 2**62


class Resumable(Feeding, ABC):
    """The methods of a stream by which training libraries keep its state, as torchdata names them.

    The attributes are those of the stream.
    """

    batches: int
    _maker: SampleMaker
    _batch_size: int
    _first_forced: int
    _epochs: int | None
    _worker: Shard

    def state_dict(self) -> dict[str, Any]:
        """Return where the stream stands: plain values, to be kept with the network's weights.

        Returns
        -------
        dict
            The number of batches given, and what they depend on.

        See Also
        --------
        load_state_dict : Goes on from there.
        """
        worker = self._worker  # of a DataLoader; the count is that of all of them together
        given = self.batches * worker.total + worker.number
        return {"version": VERSION, "batches": given, **self._setup()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on after the batches that a stream of the same arguments had given.

        The next batch has the bits that it would have had there. Batches made ahead are dropped.

        Parameters
        ----------
        state : dict
            What `state_dict` returned, in this process or another.

        Raises
        ------
        TypeError
            If it is not such a dict.
        ValueError
            If it is of a stream with another pipeline, other cases or another argument that
            batches depend on.
        """
        if not isinstance(state, Mapping) or state.get("version") != VERSION:
            raise TypeError(f"state must be what Stream.state_dict() returned, got {shown(state)}")
        for name, here in self._setup().items():
            if state.get(name) != here:
                raise ValueError(
                    f"the state is of another stream: it was made with {name} = "
                    f"{shown(state.get(name))}, and here {name} = {shown(here)}"
                )
        batches = checks.as_whole("batches of the state", state.get("batches"), 0, MAX_BATCHES)
        self.close()
        self.start_afresh()
        self.batches = batches

    def _setup(self) -> dict[str, Any]:
        """Return what the batches depend on."""
        return {
            **self._maker.setup(),
            "batch_size": self._batch_size,
            "foreground": self._batch_size - self._first_forced,
            "epochs": self._epochs,
            "shard": list(self._found_rank()),
        }

    @abstractmethod
    def close(self) -> None:
        """End the stream."""

    @abstractmethod
    def start_afresh(self) -> None:
        """Set up with nothing under way."""

    @abstractmethod
    def _found_rank(self) -> Shard:
        """Return the shard of this rank."""
