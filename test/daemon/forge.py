"""Tokens that an HQ does not issue: the good one of a principal with parts changed, signed by
whatever key."""
import base64
import hashlib
import hmac
import json
import uuid

from lablib.tokens import encode, openssl, public_key

SHA = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


def decode(part):
    """The JSON of a part of a token."""
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def rsa_key(path):
    """Make a private key in a file; its public half as a key of a key set."""
    openssl("genrsa", "-out", path, "2048")
    return {"kid": str(uuid.uuid4()), **public_key(path)}


class Forge:
    """Makes the tokens of one lab; .made are all of them."""

    def __init__(self, world):
        self.world, self.made = world, []
        self.keys = f"{world.lab.dir}/keys"
        self.signer = f"{self.keys}/signer.{'pem' if world.hq == 'v5' else 'secret'}"

    def good(self, ident, ttl=3600, forged=False):
        """As HQ issues it, or as somebody without its key does."""
        self.made.append(self.world.token(ident, ttl, forged))
        return self.made[-1]

    def keep(self, text):
        """A token made elsewhere."""
        self.made.append(text)
        return text

    def other(self, ident, header=None, claims=None, key=None):
        """The good one with these changes of header and claims, signed by the key (a file) as its
        alg says."""
        head, payload, _ = self.world.token(ident).split(".")
        head, payload = {**decode(head), **(header or {})}, {**decode(payload), **(claims or {})}
        payload = {name: value for name, value in payload.items() if value is not None}
        return self.whole(head, payload, key)

    def whole(self, header, claims, key=None):
        """Of just these."""
        text = f"{encode(header)}.{encode(claims)}"
        return self.keep(
            f"{text}.{encode(self._sign(header['alg'], text.encode(), key or self.signer))}")

    def secret(self):
        """A file of some secret."""
        with open(f"{self.keys}/some.secret", "w", encoding="ascii") as file:
            file.write(str(uuid.uuid4()))
        return file.name

    @staticmethod
    def _sign(alg, text, key):
        if alg.lower() == "none":
            return b""
        if alg.startswith("RS"):
            return openssl("dgst", f"-sha{alg[2:]}", "-sign", key, data=text)
        with open(key, "rb") as file:
            return hmac.new(file.read(), text, SHA[alg[2:]]).digest()
