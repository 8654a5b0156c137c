/*
 * token: see token.h. The order of checks: form, signature, claims, and expiry last. The payload is
 * read only after the signature was verified.
 */
#include "auth/token.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/keyset.h"
#include "base/alloc.h"
#include "base/base64.h"
#include "base/words.h"

/* The parts of a token. */
struct parts {
    json_t *header;
    json_t *payload; /* NULL until the signature was verified */
    const char *payload_text;
    size_t payload_len;
    uint8_t bytes[BASE64_BYTES(TOKEN_MAX)]; /* of the signature */
    struct signature signature;
};

static json_t *decode_object(const char *text, size_t len)
{
    uint8_t bytes[BASE64_BYTES(TOKEN_MAX)];
    size_t n;
    if (!base64_decode(BASE64URL, text, len, bytes, &n))
        return NULL;
    json_t *object = json_loadb((const char *)bytes, n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* Each of these returns NULL, or the reason for refusing the token. */

static const char *take_header(struct parts *p)
{
    const json_t *kid = json_object_get(p->header, "kid");
    p->signature.alg = json_string_value(json_object_get(p->header, "alg"));
    p->signature.kid = json_string_value(kid);
    if (p->signature.alg == NULL)
        return "its header names no algorithm";
    if (strcasecmp(p->signature.alg, "none") == 0)
        return "it is not signed";
    if (json_object_get(p->header, "crit") != NULL)
        return "its header has critical extensions, and none is known here";
    if (kid != NULL && p->signature.kid == NULL)
        return "the key id of its header is no text";
    return NULL;
}

static const char *split(const char *token, size_t len, struct parts *p)
{
    if (token == NULL || len == 0)
        return "there is no token";
    if (len > TOKEN_MAX)
        return "it is too long";
    const char *end = token + len;
    const char *first = memchr(token, '.', len);
    const char *second = first == NULL ? NULL : memchr(first + 1, '.', (size_t)(end - first - 1));
    if (second == NULL || memchr(second + 1, '.', (size_t)(end - second - 1)) != NULL)
        return "it has not three parts";

    p->payload_text = first + 1;
    p->payload_len = (size_t)(second - first - 1);
    p->signature.signed_text = token;
    p->signature.signed_len = (size_t)(second - token);
    p->signature.bytes = p->bytes;
    if (!base64_decode(BASE64URL, second + 1, (size_t)(end - second - 1), p->bytes,
                       &p->signature.len))
        return "its signature is not base64url";
    p->header = decode_object(token, (size_t)(first - token));
    if (p->header == NULL)
        return "its header is not a JSON object in base64url";
    return take_header(p);
}

static bool text_is(const json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

static bool is_listed(const char *list, const json_t *value)
{
    return json_is_string(value) &&
           words_have(list, json_string_value(value), json_string_length(value));
}

/* The same key signs refresh and identity tokens, but they are not accepted here. */
static const char *check_use(const json_t *payload)
{
    const json_t *type = json_object_get(payload, "type"); /* written by HQ's v4 */
    const json_t *typ = json_object_get(payload, "typ");   /* written by Keycloak */
    if (json_is_string(type) && !text_is(type, "access"))
        return "it is no access token (type)";
    if (json_is_string(typ) && !text_is(typ, "Bearer"))
        return "it is no access token (typ)";
    return NULL;
}

static const char *check_parties(const json_t *payload, const struct config *rules)
{
    if (*rules->issuer != '\0' && !text_is(json_object_get(payload, "iss"), rules->issuer))
        return "it is by another issuer";
    if (*rules->audience == '\0')
        return NULL;
    const json_t *aud = json_object_get(payload, "aud");
    bool meant = is_listed(rules->audience, aud) ||
                 is_listed(rules->audience, json_object_get(payload, "azp"));
    for (size_t i = 0; i < json_array_size(aud); i++)
        meant |= is_listed(rules->audience, json_array_get(aud, i));
    return meant ? NULL : "it is for another audience";
}

/* The first claim of client_type_claims that is present gives the client type. Without one there is
 * no type. */
static const char *take_client_type(const json_t *payload, const struct config *rules,
                                    struct claims *out)
{
    const char *claim;
    size_t len;
    const json_t *type = NULL;
    for (size_t i = 0; type == NULL && (len = words_get(rules->client_type_claims, i, &claim)); i++)
        type = json_object_getn(payload, claim, len);
    out->grace = rules->refused_grace;
    if (type == NULL)
        return NULL;
    if (!json_is_string(type) ||
        !config_client_type(rules, json_string_value(type), json_string_length(type), &out->grace))
        return "its client type is not accepted here";
    return NULL;
}

static const char *take_subject(const json_t *payload, struct claims *out)
{
    const json_t *sub = json_object_get(payload, "sub");
    char number[24];
    snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(sub));
    const char *text = json_is_integer(sub) ? number : json_string_value(sub);
    if (text == NULL || *text == '\0' || strlen(text) > SUBJECT_MAX)
        return "its subject is absent or unusable";
    out->subject = alloc_text(text);
    return out->subject == NULL ? "out of memory" : NULL;
}

/* Seconds since the epoch. False if it is not a number in the range of a clock. */
static bool read_time(const json_t *value, int64_t *out)
{
    double seconds = json_number_value(value);
    if (!json_is_number(value) || !(seconds > -1e15 && seconds < 1e15))
        return false;
    *out = (int64_t)seconds;
    return true;
}

static const char *take_times(const json_t *payload, const struct config *rules, int64_t now,
                              struct claims *out)
{
    const json_t *nbf = json_object_get(payload, "nbf");
    int64_t begins;
    if (!read_time(json_object_get(payload, "exp"), &out->expires))
        return "it has no usable expiry";
    if (nbf == NULL)
        return NULL;
    if (!read_time(nbf, &begins))
        return "its not-before time is no number";
    return begins > now + (int64_t)(rules->leeway / 1000) ? "it is not valid yet" : NULL;
}

static const char *check_claims(const json_t *payload, const struct config *rules, int64_t now,
                                struct claims *out)
{
    const char *why = check_use(payload);
    why = why != NULL ? why : check_parties(payload, rules);
    why = why != NULL ? why : take_client_type(payload, rules, out);
    why = why != NULL ? why : take_times(payload, rules, now, out);
    return why != NULL ? why : take_subject(payload, out);
}

static enum verdict judge_claims(struct parts *p, const struct config *rules, int64_t now,
                                 struct claims *out, const char **why)
{
    p->payload = decode_object(p->payload_text, p->payload_len);
    *why = p->payload == NULL ? "its payload is not a JSON object in base64url"
                              : check_claims(p->payload, rules, now, out);
    if (*why != NULL) {
        claims_clear(out);
        return TOKEN_REFUSED;
    }
    if (now >= out->expires + (int64_t)(rules->leeway / 1000)) {
        *why = "it has expired";
        return TOKEN_EXPIRED;
    }
    return TOKEN_GOOD;
}

static bool is_accepted(const struct config *rules, const char *alg)
{
    return words_have(rules->algorithms, alg, strlen(alg));
}

enum verdict token_judge(const struct keyset *keys, const struct config *rules, const char *token,
                         size_t len, int64_t now, struct claims *out, const char **why)
{
    struct parts p = {0};
    const char *reason = split(token, len, &p);
    enum verdict verdict = TOKEN_REFUSED;
    memset(out, 0, sizeof *out);
    if (reason == NULL && !is_accepted(rules, p.signature.alg)) {
        reason = "its algorithm is not accepted here";
        verdict = keyset_has(keys, p.signature.kid) ? TOKEN_INVALID : TOKEN_REFUSED;
    }
    if (reason == NULL)
        verdict = keyset_verify(keys, &p.signature, &reason);
    if (verdict == TOKEN_GOOD)
        verdict = judge_claims(&p, rules, now, out, &reason);
    json_decref(p.header);
    json_decref(p.payload);
    *why = reason == NULL ? "it is good" : reason;
    return verdict;
}

void claims_clear(struct claims *c)
{
    free(c->subject);
    memset(c, 0, sizeof *c);
}
