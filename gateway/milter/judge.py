"""What becomes of a message that Postfix shows us."""

from __future__ import annotations

import asyncio
import logging
from typing import cast

from gateway.milter.key_files import KeyFiles, KeyUnreadable
from gateway.milter.tasks import SignTask, VerifyTask, encoded
from gateway.milter.workers import MilterWorkers, NoAnswer, Refused
from mailserver.addresses import names_of
from mailserver.dovecot import SUBMITTER
from mailserver.embedded import wire
from mailserver.embedded.authentication.field import unknown
from mailserver.milter import Mail, Verdict

log = logging.getLogger("postern.milter")


class Judge:
    """Implements :class:`mailserver.milter.Filter`. ``authserv_id`` is the mail host's name."""

    def __init__(self, workers: MilterWorkers, keys: KeyFiles, authserv_id: str) -> None:
        self._workers = workers
        self._keys = keys
        self._id = authserv_id

    def passes(self, login: str) -> bool:
        """The gateway signs what it submits itself."""
        return login == SUBMITTER

    async def judge(self, mail: Mail) -> Verdict:
        """Checked when it comes from the world, signed when a person hands it in. Bounded in time."""
        return await (self._signed(mail) if mail.login else self._checked(mail))

    async def _checked(self, mail: Mail) -> Verdict:
        ours = self._id.lower().encode()
        forged = tuple(one for one in mail.claims if wire.claims(one.field, ours))
        task = encoded(VerifyTask(mail.address or "unknown", mail.helo, mail.mail_from, _octets(mail)))
        mail.data = bytearray()  # it may be large, and is held once already
        try:
            field = await self._workers.verify(task)
        except NoAnswer as error:
            log.warning("%s from %s: not checked: %s", mail.queue_id, mail.address, error)
            field = unknown(self._id, len(forged))
        return Verdict(top=field, drop=forged)

    async def _signed(self, mail: Mail) -> Verdict:
        try:
            # who hands it in, and whoever else Postfix lets that login send as
            senders = dict.fromkeys([*names_of(mail.login)[:1], *_names_above(mail.mail_from, mail.login)])
            keys = await asyncio.to_thread(
                lambda: {one: self._keys.find(one.rpartition("@")[2]) for one in senders}
            )
            task = encoded(SignTask(keys, _octets(mail)))
            mail.data = bytearray()
            return Verdict(top=await self._workers.sign(task))
        except Refused as error:
            log.warning("%s of %s: refused: %s", mail.queue_id, mail.login, error)
            return Verdict(refuse=str(error))
        except KeyUnreadable as error:
            log.error("%s of %s cannot be signed: %s", mail.queue_id, mail.login, error)
            return Verdict(refuse="451 4.3.5 the key that signs this mail cannot be read, try again later")
        except NoAnswer as error:
            log.error("%s of %s cannot be signed: %s", mail.queue_id, mail.login, error)
            return Verdict(refuse="451 4.3.0 the message could not be signed in time, try again later")


def _octets(mail: Mail) -> bytes:
    return cast(bytes, mail.data)  # a bytearray is encoded as bytes are, without a copy


def _names_above(sender: str, login: str) -> list[str]:
    """The sender, and without its tags; of the login's own address, those that are not shorter than it."""
    names = list(names_of(sender))
    own = names_of(login)[:1]
    return names[: names.index(own[0]) + 1] if own and own[0] in names else names
