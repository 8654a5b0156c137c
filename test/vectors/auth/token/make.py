#!/usr/bin/python3
"""Makes keysets.json and tokens.json beside itself, with keys that are thrown away at once.

The output is committed; run this again only to add a case (every token changes then). Needs the
openssl command. A case is {name, keys, token, expect} and, where it matters, {config, subject,
grace}: the keys are a name in keysets.json or null, config holds options that differ from the
defaults, and NOW is the time of judgement.
"""
import base64
import hashlib
import hmac
import json
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).parent
NOW = 1800000000
SECRET = b"a secret of the tests, 32 bytes."


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, capture_output=True, check=True).stdout


class Key:
    """A private key in a file, its JWK, and signatures by it."""

    def __init__(self, folder, name, algorithm, *options):
        self.file = f"{folder}/{name}.pem"
        openssl("genpkey", "-algorithm", algorithm, *[w for o in options for w in ("-pkeyopt", o)],
                "-out", self.file)
        self.folder, self.algorithm = folder, algorithm
        self.public_pem = openssl("pkey", "-in", self.file, "-pubout")
        self.der = openssl("pkey", "-in", self.file, "-pubout", "-outform", "DER")

    def jwk(self, kid=None, **more):
        if self.algorithm == "RSA":
            modulus = openssl("rsa", "-in", self.file, "-noout",
                              "-modulus").decode().strip().split("=")[1]
            jwk = {"kty": "RSA", "n": b64(bytes.fromhex(modulus)), "e": "AQAB"}
        elif self.algorithm == "EC":
            n = {91: 32, 120: 48}[len(self.der)]
            jwk = {"kty": "EC", "crv": {32: "P-256", 48: "P-384"}[n],
                   "x": b64(self.der[-2 * n:-n]), "y": b64(self.der[-n:])}
        else:
            jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(self.der[-32:])}
        return {**jwk, **({} if kid is None else {"kid": kid}), **more}

    def sign(self, text, digest="sha256", options=()):
        if self.algorithm == "ED25519":
            path = f"{self.folder}/text"
            pathlib.Path(path).write_bytes(text)
            return openssl("pkeyutl", "-sign", "-inkey", self.file, "-rawin", "-in", path)
        signature = openssl("dgst", f"-{digest}", "-sign", self.file, *options, data=text)
        return raw(signature) if self.algorithm == "EC" else signature


def raw(der):
    """The two numbers of a DER signature, 32 bytes each."""
    length = der[3]
    r, s = der[4:4 + length], der[6 + length:]
    return b"".join(n.lstrip(b"\0").rjust(32, b"\0") for n in (r, s))


def to_der(pair):
    def number(n):
        n = n.lstrip(b"\0")
        n = (b"\0" if n[0] > 127 else b"") + n
        return bytes([2, len(n)]) + n
    body = number(pair[:32]) + number(pair[32:])
    return bytes([0x30, len(body)]) + body


def mac(secret, digest=hashlib.sha256):
    return lambda text: hmac.new(secret, text, digest).digest()


def assemble(header, payload, sign):
    """header and payload: an object, or its text as it is to stand in the token."""
    parts = [p if isinstance(p, bytes) else json.dumps(p).encode() for p in (header, payload)]
    text = ".".join(b64(p) for p in parts)
    return f"{text}.{b64(sign(text.encode()))}"


def claims(**more):
    """Good claims; a value of None takes one out."""
    good = {"sub": "6b9f0c5e-6f6e-4d2b-9d57-1b2c3d4e5f60", "exp": NOW + 300, "iat": NOW - 10,
            "typ": "Bearer", "iss": "https://iss", "aud": "account", "azp": "portal",
            "vantage6_client_type": "user"}
    return {k: v for k, v in {**good, **more}.items() if v is not None}


class Cases(list):
    def __init__(self, keys):
        super().__init__()
        self.keys = keys

    def add(self, name, expect, token, keys="several", **more):
        self.append({"name": name, "keys": keys, "token": token, "expect": expect, **more})

    def rsa(self, name, expect, payload, header=None, **more):
        """A token signed as it should be, by the RSA key."""
        header = {"alg": "RS256", "typ": "JWT", "kid": "rsa"} if header is None else header
        self.add(name, expect, assemble(header, payload, self.keys["rsa"].sign), **more)


def signatures(cases, k):
    rs, es, ed = ({"alg": a, "kid": i}
                  for a, i in (("RS256", "rsa"), ("ES256", "ec"), ("EdDSA", "ed")))
    subject = claims()["sub"]
    for header, key in ((rs, "rsa"), (es, "ec"), (ed, "ed")):
        good = assemble(header, claims(), k[key].sign)
        text, _, signature = good.rpartition(".")
        other = text[:text.index(".") + 1] + b64(json.dumps(claims(sub="1")).encode())
        last = len(base64.urlsafe_b64decode(signature + "==")) - 1
        alg = header["alg"]
        cases.add(f"{alg}: good", "good", good, subject=subject, grace=600000)
        cases.add(f"{alg}: payload of another token", "invalid", f"{other}.{signature}")
        cases.add(f"{alg}: no signature", "invalid", f"{text}.")
        cases.add(f"{alg}: signature cut short", "invalid",
                  f"{text}.{b64(base64.urlsafe_b64decode(signature + '==')[:last])}")
        cases.add(f"{alg}: signature with a byte more", "invalid",
                  f"{text}.{b64(base64.urlsafe_b64decode(signature + '==') + b'x')}")
        cases.add(f"{alg}: by another key of its kind", "invalid",
                  assemble(header, claims(), k["other " + key].sign))
    zero = b"\0" * 64
    cases.add("ES256: both numbers zero", "invalid", assemble(es, claims(), lambda t: zero))
    cases.add("ES256: in DER", "invalid", assemble(es, claims(), lambda t: to_der(k["ec"].sign(t))))
    cases.add("ES256: with the id of the Ed25519 key", "invalid",
              assemble({**es, "kid": "ed"}, claims(), k["ec"].sign))
    cases.add("RS384 by a key that is for RS256", "invalid",
              assemble({**rs, "alg": "RS384"}, claims(), lambda t: k["rsa"].sign(t, "sha384")))
    cases.add("PS256 by a key that is for RS256", "invalid",
              assemble({**rs, "alg": "PS256"}, claims(),
                       lambda t: k["rsa"].sign(t, options=("-sigopt", "rsa_padding_mode:pss"))))
    for form, secret in (("PEM", k["rsa"].public_pem), ("DER", k["rsa"].der)):
        cases.add(f"HS256 with the RSA public key ({form}) as the secret", "invalid",
                  assemble({**rs, "alg": "HS256"}, claims(), mac(secret)))
    cases.add("HS256 with an empty secret", "invalid",
              assemble({**rs, "alg": "HS256"}, claims(), mac(b"")))
    cases.add("its own key in its header", "invalid",
              assemble({**rs, "jwk": k["other rsa"].jwk("rsa")}, claims(), k["other rsa"].sign))
    cases.add("its own key set in its header", "unknown_key",
              assemble({**rs, "kid": "mine", "jku": "https://evil"}, claims(), k["other rsa"].sign))


def key_ids(cases, k):
    def by(kid, key="rsa", alg="RS256", **more):
        return assemble({"alg": alg, **({} if kid is None else {"kid": kid}), **more}, claims(),
                        k[key].sign)
    cases.add("key id unknown", "unknown_key", by("nobody"))
    cases.add("key id is a path", "unknown_key", by("../../dev/null"))
    cases.add("key id is empty", "unknown_key", by(""))
    cases.add("key id is a number", "refused", by(7))
    cases.add("no key id, several keys", "invalid", by(None))
    cases.add("no key id, one key that has one", "good", by(None), keys="one")
    cases.add("no key id, one key that has none", "good", by(None), keys="one without id")
    cases.add("key id, and the one key has none", "unknown_key", by("rsa"), keys="one without id")
    cases.add("two keys of one id: ES256", "good", by("same", "ec", "ES256"), keys="same id")
    cases.add("two keys of one id: EdDSA", "good", by("same", "ed", "EdDSA"), keys="same id")
    cases.add("two keys of one id: neither", "invalid", by("same"), keys="same id")
    for kid in ("for encryption", "for wrapping", "small", "private", "RS384", "exponent 1"):
        cases.add(f"the key is unusable: {kid}", "unknown_key",
                  by(kid, "small" if kid == "small" else "rsa"))
    cases.add("the key is unusable: P-384", "unknown_key", by("P-384", "ec", "ES256"))
    cases.add("the key is unusable: a secret among public keys", "refused",
              assemble({"alg": "HS256", "kid": "secret"}, claims(), mac(SECRET)))
    cases.add("no key in the set", "no_keys", by("rsa"), keys="none usable")
    cases.add("no key set yet", "no_keys", by("rsa"), keys=None)
    cases.add("no key set yet, and no token", "refused", "", keys=None)
    cases.add("no key set yet, and not signed", "refused",
              assemble({"alg": "none"}, claims(), lambda t: b""), keys=None)


def secrets(cases, k):
    hs = {"alg": "HS256", "typ": "JWT"}
    v4 = {"fresh": False, "iat": NOW - 10, "jti": "1", "type": "access", "sub": 7, "nbf": NOW - 10,
          "exp": NOW + 300, "client_type": "node"}

    def add(name, expect, header, payload, sign, **more):
        cases.add(f"secret: {name}", expect, assemble(header, payload, sign), keys="secret", **more)
    add("good", "good", hs, v4, mac(SECRET), subject="7", grace=30000)
    add("with a key id", "good", {**hs, "kid": "x"}, v4, mac(SECRET))
    add("expired", "expired", hs, {**v4, "exp": NOW - 10}, mac(SECRET), subject="7", grace=30000)
    add("another secret", "invalid", hs, v4, mac(b"another" * 5))
    add("no signature", "invalid", hs, v4, lambda t: b"")
    add("half a signature", "invalid", hs, v4, lambda t: mac(SECRET)(t)[:16])
    add("a signature and a byte more", "invalid", hs, v4, lambda t: mac(SECRET)(t) + b"x")
    add("HS512", "invalid", {**hs, "alg": "HS512"}, v4, mac(SECRET, hashlib.sha512))
    add("HS512 said, HS256 done", "invalid", {**hs, "alg": "HS512"}, v4, mac(SECRET))
    add("hs256 in small letters", "invalid", {**hs, "alg": "hs256"}, v4, mac(SECRET))
    add("RS256", "invalid", {**hs, "alg": "RS256"}, v4, k["rsa"].sign)
    add("not signed", "refused", {**hs, "alg": "none"}, v4, lambda t: b"")
    add("refresh token", "refused", hs, {**v4, "type": "refresh"}, mac(SECRET))
    add("container token", "refused", hs, {**v4, "client_type": "container"}, mac(SECRET))


def issued(cases, k):
    """What HQ's issuers of tokens write, claim by claim; some of it is no principal's."""
    realm = {"exp": NOW + 300, "iat": NOW, "jti": "e6c0", "iss": "https://iss", "aud": "account",
             "typ": "Bearer", "sub": "6b9f0c5e-6f6e-4d2b-9d57-1b2c3d4e5f60",
             "azp": "alpha-node-client", "acr": "1",
             "realm_access": {"roles": ["uma_authorization"]}, "scope": "email profile",
             "clientId": "alpha-node-client", "vantage6_client_type": "node",
             "preferred_username": "service-account-alpha-node-client"}
    user = {**realm, "azp": "public_client", "sid": "1f", "vantage6_client_type": "user",
            "preferred_username": "u"}
    rs = {"alg": "RS256", "typ": "JWT", "kid": "rsa"}
    # Keycloak signs refresh tokens by a secret of its own, whose id is in no key set.
    own = {"alg": "HS512", "typ": "JWT", "kid": "43a5c7d2-0b1e-4a52-9ad6-6e0f1d2c3b4a"}
    refresh = {"exp": NOW + 1800, "iat": NOW, "jti": "e6c1", "iss": "https://iss",
               "aud": "https://iss", "typ": "Refresh", "sub": realm["sub"], "azp": "public_client",
               "sid": "1f", "scope": "openid"}
    container = {"vantage6_client_type": "container", "node_id": 3, "organization_id": 3,
                 "collaboration_id": 1, "study_id": None, "store_id": 1, "session_id": 1,
                 "task_id": 7, "image": "hello", "databases": []}
    cases.add("v5: node", "good", assemble(rs, realm, k["rsa"].sign), subject=realm["sub"],
              grace=30000)
    cases.add("v5: user", "good", assemble(rs, user, k["rsa"].sign), subject=realm["sub"],
              grace=600000)
    cases.add("v5: refresh", "refused", assemble(own, refresh, mac(SECRET, hashlib.sha512)))
    cases.add("v5: refresh, no keys yet", "refused",
              assemble(own, refresh, mac(SECRET, hashlib.sha512)), keys=None)
    cases.add("v5: refresh, signed as access tokens are", "refused",
              assemble(rs, refresh, k["rsa"].sign))
    cases.add("v5: identity", "refused", assemble(rs, {**user, "typ": "ID"}, k["rsa"].sign))
    for keys in ("several", "one", "one without id"):
        cases.add(f"v5: container ({keys})", "refused",
                  assemble({"alg": "HS256", "typ": "JWT"}, {"sub": container}, mac(SECRET)),
                  keys=keys)
    cases.add("v5: container, no keys yet", "no_keys",
              assemble({"alg": "HS256", "typ": "JWT"}, {"sub": container}, mac(SECRET)), keys=None)
    hs = {"alg": "HS256", "typ": "JWT"}
    old = {"fresh": False, "iat": NOW, "jti": "e6c2", "type": "access", "sub": 3, "nbf": NOW,
           "csrf": "e6c3", "exp": NOW + 21600, "client_type": "node", "roles": []}
    for name, expect, changes in (
            ("node", "good", {}),
            ("user", "good", {"client_type": "user", "roles": ["Researcher"]}),
            ("refresh", "refused", {"type": "refresh", "fresh": None, "exp": NOW + 172800}),
            ("container, which never ends", "refused",
             {"client_type": "container", "exp": None, "sub": {
                 **container, "client_type": "container"}}),
            ("password reset", "refused",
             {"client_type": "container", "sub": {"id": "12"}, "exp": NOW + 3600})):
        payload = {n: v for n, v in {**old, **changes}.items() if v is not None}
        cases.add(f"v4: {name}", expect, assemble(hs, payload, mac(SECRET)), keys="secret")


def algorithms(cases, k):
    es, hs = {"config": {"algorithms": "ES256"}}, {"config": {"algorithms": "RS256, HS256"}}
    cases.add("algorithms: the one accepted", "good",
              assemble({"alg": "ES256", "kid": "ec"}, claims(), k["ec"].sign), **es)
    cases.rsa("algorithms: another, by a key of the set", "invalid", claims(), **es)
    cases.rsa("algorithms: another, by an unknown key", "refused", claims(),
              {"alg": "RS256", "kid": "nobody"}, **es)
    cases.rsa("algorithms: another, by no key in particular", "refused", claims(), {"alg": "RS256"},
              **es)
    cases.rsa("algorithms: one of two", "good", claims(), **hs)
    cases.add("algorithms: HS256 beside public keys, by the id of one", "invalid",
              assemble({"alg": "HS256", "kid": "rsa"}, claims(), mac(SECRET)), **hs)
    cases.add("algorithms: HS256 beside public keys, by no key", "refused",
              assemble({"alg": "HS256"}, claims(), mac(SECRET)), **hs)


def exactly(length, header, sign):
    """A good token of this length; base64url cannot make every one from the payload alone."""
    for more in range(4):
        for pad in range(5000, 6000):
            parts = ({**header, "x": "x" * more}, claims(x="x" * pad))
            if len(assemble(*parts, lambda text: b"\0" * 256)) == length:
                return assemble(*parts, sign)
    raise ValueError(length)


def forms(cases, k):
    rs = {"alg": "RS256", "kid": "rsa"}
    sign = k["rsa"].sign
    good = assemble(rs, claims(), sign)
    header, payload, signature = good.split(".")
    for alg in ("none", "None", "NONE", "nOnE"):
        cases.add(f"alg {alg}, no signature", "refused",
                  assemble({"alg": alg, "kid": "rsa"}, claims(), lambda t: b""))
        cases.add(f"alg {alg}, good signature", "refused",
                  assemble({"alg": alg, "kid": "rsa"}, claims(), sign))
    cases.rsa("header: no alg", "refused", claims(), {"kid": "rsa"})
    cases.rsa("header: alg is a list", "refused", claims(), {"alg": ["RS256"], "kid": "rsa"})
    cases.rsa("header: alg unknown", "invalid", claims(), {"alg": "XX256", "kid": "rsa"})
    cases.rsa("header: alg in small letters", "invalid", claims(), {"alg": "rs256", "kid": "rsa"})
    cases.rsa("header: crit", "refused", claims(), {**rs, "crit": ["exp"], "exp": 1})
    cases.rsa("header: crit is empty", "refused", claims(), {**rs, "crit": []})
    cases.rsa("header: a list", "refused", claims(), b"[]")
    cases.rsa("header: not JSON", "refused", claims(), b"RS256")
    cases.rsa("header: two values in it", "refused", claims(), b'{"alg":"RS256","kid":"rsa"}{}')
    cases.rsa("header: alg twice", "refused", claims(),
              b'{"alg":"RS256","alg":"RS256","kid":"rsa"}')
    cases.rsa("header: members that are unknown", "good", claims(),
              {**rs, "x5t": "a", "typ": "at+jwt"})
    cases.rsa("payload: a list", "refused", b"[]")
    cases.rsa("payload: not JSON", "refused", b"hello")
    cases.rsa("payload: empty", "refused", b"")
    cases.rsa("payload: not UTF-8", "refused",
              json.dumps(claims(sub="X")).encode().replace(b"X", b"\xff"))
    cases.rsa("payload: sub twice", "refused",
              json.dumps(claims()).encode()[:-1] + b', "sub": "1"}')
    cases.rsa("payload: NUL in sub", "refused", claims(sub="7\0"))
    text = json.dumps(claims()).encode()
    cases.rsa("payload: an expiry that no clock shows", "refused", claims(exp=1e300))
    cases.rsa("payload: a number too large to read", "refused",
              text.replace(str(NOW + 300).encode(), b"9" * 400))
    cases.rsa("payload: too deep", "refused", b'{"sub":' + b"[" * 3000 + b"]" * 3000 + b"}")
    for n, name in ((8192, "as long as allowed"), (8193, "longer than allowed")):
        cases.add(name, "good" if n == 8192 else "refused", exactly(n, rs, sign))
    cases.add("no token", "refused", "")
    cases.add("a word", "refused", "token")
    cases.add("dots only", "refused", "..")
    cases.add("two parts", "refused", f"{header}.{payload}")
    cases.add("four parts", "refused", f"{good}.{signature}")
    cases.add("five parts, as if encrypted", "refused",
              f"{header}.{payload}.{signature}.{payload}.{signature}")
    cases.add("the scheme before it", "refused", f"Bearer {good}")
    cases.add("a blank before it", "refused", f" {good}")
    cases.add("a line feed after it", "refused", f"{good}\n")
    cases.add("padding after the signature", "refused", f"{good}==")
    # 256 bytes leave four bits of the last character unused: 16 spellings of one signature.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = alphabet[alphabet.index(signature[-1]) + 1]
    cases.add("another spelling of the signature", "refused",
              f"{header}.{payload}.{signature[:-1]}{twin}")
    cases.add("a signature of an impossible length", "refused", f"{good}A"
              if len(good.split('.')[2]) % 4 == 0
              else f"{header}.{payload}.{signature[:341]}")
    while not set("-_") & set(signature):
        good = assemble(rs, claims(jti=str(len(good))), sign)
        header, payload, signature = good.split(".")
    cases.add("the other alphabet of base64", "refused",
              f"{header}.{payload}.{signature.replace('-', '+').replace('_', '/')}")


def claim_rules(cases):
    def rule(name, expect, more=None, **changes):
        cases.rsa(name, expect, claims(**changes), **(more or {}))
    expires = NOW + 300
    for name, value, expect in (("number", expires, "good"), ("fraction", expires + 0.5, "good"),
                                ("text", str(expires), "refused"), ("absent", None, "refused"),
                                ("true", True, "refused"), ("just over", NOW, "good"),
                                ("over within the leeway", NOW - 9, "good"),
                                ("over by the leeway", NOW - 10, "expired"), ("zero", 0, "expired"),
                                ("negative", -1, "expired")):
        rule(f"exp: {name}", expect, exp=value)
    rule("exp: over, without leeway", "expired", {"config": {"leeway": "0s"}}, exp=NOW)
    rule("exp: expired, for a user", "expired", {"grace": 600000, "subject": "7"}, exp=NOW - 99,
         sub="7")
    rule("exp: expired, for a node", "expired", {"grace": 30000}, exp=NOW - 99,
         vantage6_client_type="node")
    rule("exp: expired, and by another issuer", "refused", {"config": {"issuer": "https://other"}},
         exp=NOW - 99)
    rule("exp: expired, and a refresh token", "refused", exp=NOW - 99, typ="Refresh")
    rule("exp: expired, and without subject", "refused", exp=NOW - 99, sub=None)
    for name, value, expect in (("past", NOW - 1, "good"), ("within the leeway", NOW + 10, "good"),
                                ("to come", NOW + 11, "refused"), ("text", "0", "refused")):
        rule(f"nbf: {name}", expect, nbf=value)
    rule("iat: to come", "good", iat=NOW + 9999)
    for name, issuer, value, expect in (("as configured", "https://iss", "https://iss", "good"),
                                        ("another", "https://iss", "https://iss/", "refused"),
                                        ("absent", "https://iss", None, "refused"),
                                        ("a list", "https://iss", ["https://iss"], "refused"),
                                        ("any", "", "https://other", "good")):
        rule(f"iss: {name}", expect, {"config": {"issuer": issuer}}, iss=value)
    for name, aud, azp, expect in (
            ("aud", "here", None, "good"), ("aud, one of a list", ["account", "here"], "x", "good"),
            ("azp", "account", "here", "good"), ("the second allowed", "there", None, "good"),
            ("neither", "account", "portal", "refused"), ("both absent", None, None, "refused"),
            ("a longer name", "here2", "her", "refused"),
            ("two names in one", "here there", None, "refused"), ("a number", 7, 7, "refused"),
            ("an empty list", [], None, "refused")):
        rule(f"audience: {name}", expect, {"config": {"audience": "here, there"}}, aud=aud, azp=azp)
    for name, claim, value, expect in (
            ("typ Refresh", "typ", "Refresh", "refused"), ("typ ID", "typ", "ID", "refused"),
            ("typ absent", "typ", None, "good"), ("typ a number", "typ", 1, "good"),
            ("type access", "type", "access", "good"),
            ("type refresh", "type", "refresh", "refused"),
            ("typ bearer in small letters", "typ", "bearer", "refused")):
        rule(f"use: {name}", expect, **{claim: value})
    for name, value, expect, grace in (
            ("user", "user", "good", 600000), ("node", "node", "good", 30000),
            ("container", "container", "refused", 0), ("part of a name", "nod", "refused", 0),
            ("empty", "", "refused", 0), ("with its grace", "node=30s", "refused", 0),
            ("with an equals sign", "node=", "refused", 0),
            ("a list", ["node"], "refused", 0), ("absent", None, "good", 30000)):
        rule(f"client type: {name}", expect, {"grace": grace}, vantage6_client_type=value)
    rule("client type: in the second claim", "good", {"grace": 30000}, vantage6_client_type=None,
         client_type="node")
    rule("client type: the first claim counts", "refused", vantage6_client_type="container",
         client_type="node")
    rule("client type: as configured", "good",
         {"config": {"client_types": "robot=1min", "client_type_claims": "kind"},
          "grace": 60000}, kind="robot")
    rule("client type: absent, and the grace as configured", "good",
         {"config": {"refused_grace": "7s"}, "grace": 7000}, vantage6_client_type=None)
    for name, value, expect, subject in (
            ("text", "abc", "good", "abc"), ("integer", 7, "good", "7"),
            ("absent", None, "refused", None), ("empty", "", "refused", None),
            ("fraction", 7.5, "refused", None), ("true", True, "refused", None),
            ("list", ["7"], "refused", None), ("255 bytes", "s" * 255, "good", "s" * 255),
            ("256 bytes", "s" * 256, "refused", None)):
        rule(f"sub: {name}", expect, {"subject": subject} if subject else None, sub=value)


def key_sets(k):
    usable = [k["rsa"].jwk("rsa", use="sig", alg="RS256"), k["ec"].jwk("ec", use="sig"),
              k["ed"].jwk("ed", key_ops=["verify"])]
    unusable = [k["rsa"].jwk("for encryption", use="enc"),
                k["rsa"].jwk("for wrapping", key_ops=["wrapKey"]),
                k["rsa"].jwk("RS384", alg="RS384"), k["rsa"].jwk("private", d="AQAB"),
                k["small"].jwk("small"), {**k["rsa"].jwk("exponent 1"), "e": "AQ"},
                {**k["rsa"].jwk("even modulus"), "n": b64(b"\xf0" * 256)}, k["P-384"].jwk("P-384"),
                {"kty": "oct", "kid": "secret", "k": b64(SECRET)},
                {**k["ed"].jwk("X25519"), "crv": "X25519"},
                {"kty": "EC", "crv": "P-256", "kid": "off the curve", "x": b64(b"\1" * 32),
                 "y": b64(b"\2" * 32)},
                {**k["ed"].jwk("short"), "x": b64(b"\1" * 31)},
                {**k["rsa"].jwk("padded"), "e": "AQAB=="}, {**k["rsa"].jwk(), "kid": 7},
                {"kty": ["RSA"]}, {}, 7, None]
    beside = [k["rsa"].jwk(), k["other rsa"].jwk()]
    sets = {"several": usable + unusable + beside[:1], "one": [k["rsa"].jwk("rsa")],
            "one without id": beside[:1], "same id": [k["ec"].jwk("same"), k["ed"].jwk("same")],
            "none usable": unusable, "empty": [], "several without id": beside}
    counts = {"several": 3, "same id": 2, "none usable": 0, "empty": 0, "several without id": 0}
    result = [{"name": name, "text": json.dumps({"keys": keys}), "keys": counts.get(name, 1)}
              for name, keys in sets.items()]
    for name, text in (("no text", ""), ("not JSON", "keys"), ("a list", "[]"), ("no keys", "{}"),
                       ("keys is an object", '{"keys": {}}'),
                       ("keys twice", '{"keys": [], "keys": []}'),
                       ("text after it", '{"keys": []} x'), ("PEM", k["rsa"].public_pem.decode())):
        result.append({"name": name, "text": text, "keys": None})
    return result


def main():
    with tempfile.TemporaryDirectory() as folder:
        rsa, p256 = ("RSA", "rsa_keygen_bits:2048"), ("EC", "ec_paramgen_curve:P-256")
        kinds = {"rsa": rsa, "other rsa": rsa, "small": ("RSA", "rsa_keygen_bits:1024"), "ec": p256,
                 "other ec": p256, "P-384": ("EC", "ec_paramgen_curve:P-384"), "ed": ("ED25519",),
                 "other ed": ("ED25519",)}
        k = {name: Key(folder, name, *kind) for name, kind in kinds.items()}
        cases = Cases(k)
        signatures(cases, k)
        key_ids(cases, k)
        secrets(cases, k)
        forms(cases, k)
        claim_rules(cases)
        issued(cases, k)
        algorithms(cases, k)
        sets = key_sets(k)
    for name, content in (("keysets", {"secret": SECRET.decode(), "keysets": sets}),
                          ("tokens", {"now": NOW, "tokens": cases})):
        (HERE / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
