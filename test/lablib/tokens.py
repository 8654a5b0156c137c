"""Tokens as the two HQ versions issue them.

v5: Keycloak's access token, RS256, verified with the realm's JWKS. v4: flask-jwt-extended's, HS256
with the server's secret. Each has a forger: another key under the same kid, another secret.
"""
import base64
import hashlib
import hmac
import json
import os
import secrets
import subprocess
import time
import uuid

ISSUER = "http://localhost:8080/realms/vantage6"


def encode(data):
    """base64url without padding; what is not bytes as JSON."""
    data = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*args, data=None):
    """The output of the openssl command."""
    return subprocess.run(["openssl", *args], input=data, check=True, capture_output=True).stdout


def public_key(path):
    """The public half of a private key in a file, as a key of a key set that has no id yet."""
    modulus = openssl("rsa", "-in", path, "-noout", "-modulus").decode().strip()
    return {"kty": "RSA", "alg": "RS256", "use": "sig", "e": "AQAB",
            "n": encode(bytes.fromhex(modulus.removeprefix("Modulus=")))}


def _write_private(path, data):
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(data)


def make_keys(hq, folder):
    """The signer's and the forger's keys; for v5 also the key set that verifies the signer."""
    os.mkdir(folder, 0o700)
    for name in ("signer", "forger"):
        if hq == "v4":
            _write_private(f"{folder}/{name}.secret", secrets.token_hex(32).encode())
        else:
            _write_private(f"{folder}/{name}.pem", openssl("genrsa", "2048"))
    if hq == "v5":
        key = public_key(f"{folder}/signer.pem")
        key["kid"] = encode(hashlib.sha256(key["n"].encode()).digest())
        with open(f"{folder}/jwks.json", "w", encoding="ascii") as file:
            json.dump({"keys": [key]}, file, indent=2)


def _v5_claims(principal, now, expires):
    node = principal["type"] == "node"
    client = f"{principal['name']}-node-client" if node else "public_client"
    username = f"service-account-{client}" if node else principal["name"]
    return {"exp": expires, "iat": now, "jti": str(uuid.uuid4()), "iss": ISSUER, "aud": "account",
            "sub": principal["subject"], "typ": "Bearer", "azp": client, "sid": str(uuid.uuid4()),
            "acr": "1", "allowed-origins": ["*"], "scope": "email profile",
            "realm_access": {"roles": ["offline_access", "uma_authorization"]},
            "vantage6_client_type": principal["type"], "email_verified": False,
            "preferred_username": username}


def _v4_claims(principal, now, expires):
    return {"fresh": False, "iat": now, "jti": str(uuid.uuid4()), "type": "access",
            "sub": int(principal["subject"]), "nbf": now, "csrf": str(uuid.uuid4()), "exp": expires,
            "client_type": principal["type"], "roles": []}


def _sign(hq, folder, signer, claims):
    header = {"alg": "HS256", "typ": "JWT"}
    if hq == "v5":
        with open(f"{folder}/jwks.json", encoding="ascii") as file:
            header = {"alg": "RS256", "typ": "JWT", "kid": json.load(file)["keys"][0]["kid"]}
    text = ".".join(encode(part)
                    for part in (header, claims))
    if hq == "v5":
        signature = openssl("dgst", "-sha256", "-sign", f"{folder}/{signer}.pem",
                             data=text.encode())
    else:
        with open(f"{folder}/{signer}.secret", "rb") as file:
            signature = hmac.new(file.read(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{encode(signature)}"


def token(hq, folder, principal, ttl, forged=False):
    """A token for principal (type, subject, name) that ends in ttl seconds, or ended -ttl seconds
    ago."""
    now = int(time.time())
    issued = now + min(0, ttl - 300)
    claims = (_v5_claims if hq == "v5" else _v4_claims)(principal, issued, now + ttl)
    return _sign(hq, folder, "forger" if forged else "signer", claims)
