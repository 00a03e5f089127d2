"""A mail server that answers the first attempt of each mail with 451, and prints what it got as lines of JSON."""

import asyncio
import email
import json
import sys

from aiosmtpd.smtp import SMTP


def tell(line):
    print(json.dumps(line), flush=True)


class Greylisting:
    def __init__(self):
        self.seen = set()

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content)
        known = mail["Message-ID"] in self.seen
        self.seen.add(mail["Message-ID"])
        text = next(part for part in mail.walk() if part.get_content_type() == "text/plain")
        tell(
            {
                "id": mail["Message-ID"],
                "references": mail["References"],
                "to": envelope.rcpt_tos,
                "text": text.get_payload(decode=True).decode(),
                "bytes": envelope.content.decode(),
                "accepted": known,
            }
        )
        return "250 OK" if known else "451 Try again later"


async def serve():
    loop = asyncio.get_running_loop()
    handler = Greylisting()
    server = await loop.create_server(lambda: SMTP(handler, hostname="mail.example.org"), "127.0.0.1", 0)
    tell({"port": server.sockets[0].getsockname()[1]})
    # It ends with the test that started it.
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(serve())
