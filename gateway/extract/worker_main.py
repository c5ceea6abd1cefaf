"""A process that reads attachments. Started by ``gateway.extract.pool`` only.

``gateway.extract.job`` says what the frames mean. Before an attachment is read, the gateway gets its kind in case this
process does not live to answer; the answer follows at once, so that what a later one does is not its matter.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator

import msgspec

from gateway.extract import ocr
from gateway.extract.document import read_document
from gateway.extract.kinds import kind_of
from gateway.extract.limits import MESSAGE_CHARS
from gateway.extract.sandbox import confine, next_file
from gateway.extract.types import DONE, ERROR, IF_DEAD, TOO_LARGE, UNSUPPORTED, Wanted, WorkerSettings
from gateway.mime.bodies import sort_leaves
from gateway.mime.headers import split_head
from gateway.mime.limits import DEFAULT_LIMITS
from gateway.mime.structure import read_tree
from gateway.mime.workers.serve import serve


def main() -> None:
    """Serve until end of file."""
    settings = msgspec.json.decode(sys.argv[1], type=WorkerSettings)
    requests = msgspec.msgpack.Decoder(list[Wanted])
    encoder = msgspec.msgpack.Encoder()

    def answer(request: memoryview) -> Iterator[tuple[bytes, bytes]]:
        next_file(settings.cpu)
        (length,) = struct.unpack(">I", request[1:5])
        wanted = requests.decode(request[5 : 5 + length])
        raw = bytes(request[5 + length :])
        tree = read_tree(raw, split_head(raw, DEFAULT_LIMITS), DEFAULT_LIMITS)
        leaves = {leaf.section: leaf for leaf in sort_leaves(tree.leaves).attached}
        room = MESSAGE_CHARS
        for one in wanted:
            next_file(settings.cpu)
            leaf = leaves.get(one.section)
            done = UNSUPPORTED
            try:
                data = b"" if leaf is None else leaf.content()
                kind = kind_of(data, one.content_type, one.filename)
                if kind is not None:
                    yield IF_DEAD, encoder.encode(ERROR[kind])
                    charset = None if leaf is None else leaf.params.get("charset")
                    done = read_document(data, kind, one, charset, settings.languages)
            except MemoryError:
                done = TOO_LARGE
            size = len(done.text or "")
            if size > room:
                done, size = TOO_LARGE, 0
            room -= size
            yield DONE, encoder.encode(done)

    ocr.prepare()
    serve(answer, memory=settings.memory, deadline=settings.deadline, confine=confine)


if __name__ == "__main__":
    main()
