"""HTTP as Python's standard library speaks it.

Usage: http_client.py URL TOKEN. Prints what it saw as one line of JSON.
"""

import http.client
import json
import sys
import urllib.error
import urllib.parse
import urllib.request


def fetch(url, token, body=None):
    """By urllib, a connection for each request."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as answer:
            return {"status": answer.status, "body": json.load(answer)}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "body": json.load(error)}


def kept_alive(address, token):
    """By http.client, several requests on one connection, one of them in chunks."""
    connection = http.client.HTTPConnection(address)
    headers = {"Authorization": f"Bearer {token}"}

    def ask(method, path, body=None, **options):
        connection.request(method, path, body, headers, **options)
        answer = connection.getresponse()
        return {"status": answer.status, "body": json.load(answer)}

    connection.connect()
    first = connection.sock
    call = json.dumps({"jsonrpc": "2.0", "id": "a", "method": "sessions.list", "params": {}}).encode()
    seen = {
        "skills": ask("GET", "/skills"),
        "rpc": ask("POST", "/rpc", call),
        "chunked": ask("POST", "/rpc", iter([call[:20], call[20:]]), encode_chunked=True),
        "missing": ask("GET", "/nowhere"),
    }
    seen["sameConnection"] = connection.sock is first
    connection.close()
    return seen


def stream(address, token):
    """Events line by line, as they come."""
    connection = http.client.HTTPConnection(address)
    body = json.dumps({"content": "check runtime health", "mode": "auto", "sessionName": "python"})
    connection.request("POST", "/conductor/stream", body, {"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    kinds = [line.decode().split(": ", 1)[1].strip() for line in answer if line.startswith(b"event: ")]
    connection.close()
    return {"status": answer.status, "kinds": kinds}


def main(url, token):
    address = urllib.parse.urlsplit(url).netloc
    say = {"content": 'call read-note {"name":"quince"}', "mode": "auto"}
    print(json.dumps({
        "message": fetch(f"{url}/conductor/message", token, say),
        "invoke": fetch(f"{url}/skills/invoke/read-note", token, {"input": {"name": "quince"}}),
        "wrongToken": fetch(f"{url}/conductor/message", "wrong", say),
        "dangerous": fetch(f"{url}/skills/invoke/write-note", token, {"input": {"text": "medlar"}}),
        "kept": kept_alive(address, token),
        "stream": stream(address, token),
    }))


if __name__ == "__main__":
    main(*sys.argv[1:])
