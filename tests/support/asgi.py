"""A client of an ASGI application in this process, without a network."""

import asyncio
import json


class Answer:
    def __init__(self, status_code, headers, body):
        self.status_code, self.headers, self.text = status_code, headers, body.decode()

    def json(self):
        return json.loads(self.text)


class Client:
    """Requests to an application, each in an event loop of its own."""

    def __init__(self, app):
        self.app = app

    def get(self, path):
        return asyncio.run(self.request("GET", path, []))

    def post(self, path, *, json=None, content=b"", headers=None):
        """``content`` may be an iterator of parts, whose length is not told."""
        if json is not None:
            content = dumps(json)
        return asyncio.run(self.request("POST", path, content, headers or {}))

    async def request(self, method, path, content, further=()):
        is_whole = isinstance(content, bytes)
        parts = iter([content]) if is_whole else iter(content)
        headers = [(b"content-length", b"%d" % len(content))] if is_whole else []
        headers += [(name.encode(), further[name].encode()) for name in further]
        sent = []

        async def receive():
            part = next(parts, None)
            return {
                "type": "http.request",
                "body": part or b"",
                "more_body": part is not None,
            }

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": headers,
            "http_version": "1.1",
            "scheme": "http",
            "asgi": {"version": "3.0"},
            "root_path": "",
        }
        await self.app(scope, receive, send)
        start, *bodies = sent
        head = {key.decode(): value.decode() for key, value in start["headers"]}
        body = b"".join(message.get("body", b"") for message in bodies)
        return Answer(start["status"], head, body)


def dumps(document):
    return json.dumps(document).encode()
