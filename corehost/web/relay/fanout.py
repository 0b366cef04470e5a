"""Carry messages from the bus to the groups that hear them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import takewhile

from corehost.contract.message import Message
from corehost.web.relay.backend import Backend, Feed, Gap
from corehost.web.relay.frames import Scribe, Wire
from corehost.web.relay.limits import RelayLimits
from corehost.web.relay.loop import Loop
from corehost.web.relay.subscriptions import Audience, Group
from corehost.web.relay.verdicts import Verdicts

_PARKED = 32
_PAUSE = 0.002


class Fanout:
    """Takes messages in order of ``seq``, encodes each once, and gives each group one block.

    The feed is open while somebody subscribes. ``position`` is the ``seq`` up to which everything was handed out;
    ``recent`` holds the last of it, so that a client which catches up can join without a hole or a double.
    """

    def __init__(
        self,
        loop: Loop,
        backend: Backend,
        audience: Audience,
        verdicts: Verdicts,
        scribe: Scribe,
        limits: RelayLimits,
        overtaken: Callable[[Group, int], None],
    ) -> None:
        """*overtaken* is told of a group that was handed nothing after a ``seq``, and must read the history."""
        self.recent: deque[Message | Gap] = deque(maxlen=limits.recent)
        self._loop = loop
        self._backend = backend
        self._audience = audience
        self._verdicts = verdicts
        self._scribe = scribe
        self._limits = limits
        self._overtaken = overtaken
        self._taken: deque[Message | Gap] = deque()
        self._feed: Feed | None = None
        self._subscriptions = 0
        self._position = 0
        self._pausing = False
        self._joined = 0  # the position at which the feed was opened

    @property
    def position(self) -> int:
        """The ``seq`` up to which everything was handed out."""
        return self._position if self._feed is not None else self._backend.position()

    def enter(self) -> None:
        """Count one more subscription."""
        self._subscriptions += 1
        if self._feed is None:
            self._feed = self._backend.open_feed(lambda: self._loop.post(self._take))
            # Read after the feed is open: what came between stands in both, and is skipped below.
            self._position = self._joined = self._backend.position()

    def leave(self) -> None:
        """Count one subscription less."""
        self._subscriptions -= 1
        if self._subscriptions == 0 and self._feed is not None:
            self._feed.close()
            self._feed = None
            self.recent.clear()
            self._taken.clear()

    def since(self, seq: int) -> Sequence[Message | Gap] | None:
        """Return what was handed out after *seq*, ``None`` if that is not known any more."""
        if seq >= self._position:
            return ()
        first = self.recent[0] if len(self.recent) == self.recent.maxlen else None
        begin = self._joined if first is None else self._seq_of(first)
        if seq < begin:
            return None
        newest_first = takewhile(lambda entry: self._seq_of(entry) > seq, reversed(self.recent))
        return list(newest_first)[::-1]

    def hears(self, group: Group, message: Message) -> None:
        """Give *group*, which asked for it, a message if it may see it."""
        if group.parked is None:
            verdict = self._verdicts.get(group.view, message.type)
            if verdict is not None:
                if verdict:
                    self._add(group, message, self._scribe.message(group.wire, message))
                return
            group.parked = []
        self._park(group, message)

    def unpark(self) -> None:
        """Hand out what had to wait for a verdict; whoever had to wait long reads it from the history."""
        for group in self._audience:
            parked, group.parked = group.parked, None
            if parked is None:
                continue
            if len(parked) > _PARKED:
                self._overtaken(group, parked[0].seq - 1)
                continue
            for message in parked:
                self.hears(group, message)
            group.flush()

    def _take(self) -> None:
        if self._feed is None or self._pausing:
            return
        is_all = False
        if not self._taken:
            self._taken.extend(self._feed.take(self._limits.batch))
            is_all = len(self._taken) < self._limits.batch  # else it wakes nobody for what is still there
        handed = 0
        while self._taken and handed < self._limits.out_buffer // 4:
            handed += self._hand_out(self._taken.popleft())
        for group in self._audience:
            group.flush()
        if self._taken or not is_all:
            self._pausing = True
            self._loop.post(partial(self._go_on, None, 0.0))  # after sockets had their turn

    def _go_on(self, left_before: int | None, stuck: float) -> None:
        """Hand out more of a flood, once most readers have caught up.

        Otherwise the relay, which only hands on, would outrun every reader there is and close them all. A few slow
        ones are not waited for, nor many that read nothing.
        """
        pending = [client.pending for group in self._audience for client in group.members]
        behind = [size for size in pending if size > self._limits.out_buffer // 2]
        left = sum(behind)
        stuck = stuck + _PAUSE if left_before is not None and left >= left_before else 0.0
        if 2 * len(behind) > len(pending) and stuck < self._limits.patience:
            self._loop.later(_PAUSE, partial(self._go_on, left, stuck))
        else:
            self._pausing = False
            self._take()

    def _hand_out(self, entry: Message | Gap) -> int:
        """Give *entry* to every group that hears it; return its size."""
        if isinstance(entry, Gap):
            self._tell_gap(entry)
            return 0
        if entry.seq <= self._position:
            return 0
        self._position = entry.seq
        self.recent.append(entry)
        blocks: dict[Wire, bytes] = {}
        for group, sources in self._audience.plan(entry.type):
            if sources is not None and entry.source not in sources:
                continue
            if group.parked is not None or not self._verdicts.get(group.view, entry.type):
                self.hears(group, entry)
                continue
            block = blocks.get(group.wire)
            if block is None:
                block = blocks[group.wire] = self._scribe.message(group.wire, entry)
            self._add(group, entry, block)
        return max(map(len, blocks.values()), default=0)

    def _add(self, group: Group, message: Message, block: bytes) -> None:
        if message.target is not None and not group.identity.tool:
            group.flush()  # what came before goes first
            for client in self._audience.addressed(message.target):
                if client in group.members:
                    client.send(block)
            return
        group.block.append(block)
        group.size += len(block)
        if group.size > self._limits.block:
            group.flush()

    def _park(self, group: Group, message: Message) -> None:
        if group.parked is not None and len(group.parked) <= _PARKED:
            group.parked.append(message)
            self._verdicts.ask(group.identity, message.type)

    def _tell_gap(self, gap: Gap) -> None:
        self._position = max(self._position, self._backend.seq_of(gap.end))
        self.recent.append(gap)
        for group in self._audience:
            group.block.append(self._scribe.gap(group.wire, gap))

    def _seq_of(self, entry: Message | Gap) -> int:
        return self._backend.seq_of(entry.end) if isinstance(entry, Gap) else entry.seq
