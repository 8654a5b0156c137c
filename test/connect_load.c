/*
 * connect_load: clients for test/bench-connects, cheap enough that the daemon is what is measured.
 *
 * usage: connect_load PORT TOKEN KIND COUNT STAY
 *   KIND     websocket, polling (a connection for each request) or kept (one for all of a session)
 *   COUNT    clients, of which AT_ONCE are opened at a time
 *   STAY     close: each says goodbye once its CONNECT is answered; the process ends after the last
 *            stay: they stay until standard input ends. Those that poll hold a poll open.
 *
 * A line of output says each time that all clients have done something: "opened" or "closed", and
 * "polled" for each event "bench" that all have received by a poll and then polled again. If an
 * answer is not the expected one, the process ends with status 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AT_ONCE = 100, READ_MAX = 8192, TEXT_MAX = 4096, TURN = 256 };
#define EVENT "42/tasks,[\"bench\""

enum kind { WEBSOCKET, POLLING, KEPT };

/* What a client waits for. */
enum stage { OPEN, NAMED, CONNECTED, STAYING, LEAVING };

struct client {
    int fd;
    enum stage stage;
    unsigned long polled;
    size_t len; /* of the answer so far */
    char sid[64];
    char text[READ_MAX + 1];
};

static struct {
    enum kind kind;
    bool stay;
    struct sockaddr_in address;
    int epoll;
    char common[TEXT_MAX / 2]; /* headers of each request */
    unsigned long count, begun, opened, ended;
    unsigned long rounds, polled; /* events that all have received; how many have the next one */
    struct client *clients;
} load;

static void fail(const struct client *c, const char *what)
{
    fprintf(stderr, "connect_load: %s at stage %d: %s: %.300s\n", what, c ? (int)c->stage : -1,
            strerror(errno), c ? c->text : "");
    exit(1);
}

static void say(const char *line)
{
    puts(line);
    fflush(stdout);
}

/* --- sending --- */

/* The system connects on the loopback interface without waiting, unless the backlog is full. */
static void dial(struct client *c)
{
    int on = 1;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&load.address, sizeof load.address) != 0 ||
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
        fail(c, "no connection");
}

static void hang_up(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static void send_all(struct client *c, const char *text, size_t len)
{
    c->len = 0;
    if (send(c->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len)
        fail(c, "not sent");
}

static void request(struct client *c, const char *method, const char *body)
{
    char text[TEXT_MAX], length[48] = "";
    if (body)
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
    int n = snprintf(text, sizeof text,
                     "%s /socket.io/?EIO=4&transport=polling%s%s HTTP/1.1\r\n%s%s\r\n%s", method,
                     *c->sid ? "&sid=" : "", c->sid, load.common, length, body ? body : "");
    if (c->fd < 0)
        dial(c);
    send_all(c, text, (size_t)n);
}

static void handshake(struct client *c)
{
    char text[TEXT_MAX];
    int n = snprintf(text, sizeof text,
                     "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n%s"
                     "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
                     load.common);
    dial(c);
    send_all(c, text, (size_t)n);
}

/* A masked frame; the mask is zero. */
static void send_frame(struct client *c, unsigned char first, const char *payload)
{
    char frame[64] = {(char)first, (char)(0x80 | strlen(payload))};
    strcpy(frame + 6, payload);
    send_all(c, frame, 6 + strlen(payload));
}

/* --- the life of a client --- */

static void begin(struct client *c)
{
    memset(c, 0, offsetof(struct client, text));
    c->fd = -1;
    load.begun++;
    if (load.kind == WEBSOCKET)
        handshake(c);
    else
        request(c, "GET", NULL);
}

/* One client is done with being opened, or with its life: the next one. */
static void one_done(struct client *c, unsigned long *done, const char *line)
{
    if (++*done == load.count)
        say(line);
    else if (load.begun < load.count)
        begin(load.stay ? &load.clients[load.begun] : c);
}

static void leave(struct client *c)
{
    hang_up(c);
    one_done(c, &load.ended, "closed");
}

/* Others than those of the bench tell that somebody has come. */
static void receive_events(struct client *c, const char *payload)
{
    const char *found = strstr(payload, EVENT);
    if (strncmp(payload, "42/tasks,", 9) != 0)
        fail(c, "no event");
    request(c, "GET", NULL);
    if (!found)
        return;
    if (strstr(found + 1, EVENT) || ++c->polled != load.rounds + 1)
        fail(c, "more than one event a poll");
    if (++load.polled == load.count) {
        load.rounds++;
        load.polled = 0;
        say("polled");
    }
}

/* The payload of an answer or a frame: what the client does next. */
static void packet(struct client *c, const char *payload, bool websocket)
{
    static const char connect[] = "40/tasks,{}";
    switch (c->stage) {
    case OPEN:
        if (sscanf(payload, "0{\"sid\":\"%63[^\"]", c->sid) != 1)
            fail(c, "no session");
        c->stage = websocket ? CONNECTED : NAMED;
        if (websocket)
            send_frame(c, 0x81, connect);
        else
            request(c, "POST", connect);
        break;
    case NAMED:
        if (strcmp(payload, "ok") != 0)
            fail(c, "CONNECT not taken");
        c->stage = CONNECTED;
        request(c, "GET", NULL);
        break;
    case CONNECTED:
        if (strncmp(payload, "40/tasks,{\"sid\"", 15) != 0)
            fail(c, "not connected");
        c->stage = load.stay ? STAYING : LEAVING;
        if (load.stay && !websocket)
            request(c, "GET", NULL);
        else if (websocket && !load.stay)
            send_frame(c, 0x88, "");
        else if (!load.stay)
            request(c, "POST", "1");
        if (load.stay)
            one_done(c, &load.opened, "opened");
        break;
    case STAYING:
        if (websocket)
            break;
        receive_events(c, payload);
        break;
    case LEAVING:
        if (websocket)
            break; /* the end follows */
        if (strcmp(payload, "ok") != 0)
            fail(c, "goodbye not taken");
        leave(c);
        break;
    }
}

/* --- receiving --- */

/* The answer to a request, once it is whole. */
static void answer(struct client *c)
{
    char *body = strstr(c->text, "\r\n\r\n"), *length = strcasestr(c->text, "\r\ncontent-length:");
    if (!body)
        return;
    body += 4;
    if (strncmp(c->text, "HTTP/1.1 200", 12) != 0 || !length)
        fail(c, "refused");
    if (strlen(body) < strtoul(length + 17, NULL, 10))
        return;
    if (load.kind == POLLING)
        hang_up(c);
    packet(c, body, false);
}

/* Whole frames with less than 64 kB each; what is left stays in c->text. */
static void frames(struct client *c)
{
    char *at = c->text, *end = c->text + c->len;
    if (c->stage == OPEN) {
        char *body = strstr(at, "\r\n\r\n");
        if (!body)
            return;
        if (strncmp(at, "HTTP/1.1 101", 12) != 0)
            fail(c, "refused");
        at = body + 4;
    }
    while (end - at >= 2) {
        size_t size = (unsigned char)at[1];
        char *payload = at + 2;
        if (size == 126) {
            size = (size_t)(unsigned char)at[2] << 8 | (unsigned char)at[3];
            payload = at + 4;
        }
        if (payload + size > end)
            break;
        packet(c, payload, true);
        at = payload + size;
    }
    /* Of the head nothing may stay: the next call would look for it again. */
    if (c->stage == OPEN)
        return;
    c->len = (size_t)(end - at);
    memmove(c->text, at, c->len + 1);
}

static void receive(struct client *c)
{
    ssize_t n = recv(c->fd, c->text + c->len, READ_MAX - c->len, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        if (load.kind != WEBSOCKET || c->stage != LEAVING)
            fail(c, "closed");
        leave(c);
        return;
    }
    c->len += (size_t)n;
    c->text[c->len] = '\0';
    if (load.kind == WEBSOCKET)
        frames(c);
    else
        answer(c);
}

static void run(void)
{
    struct epoll_event input = {.events = EPOLLIN}, events[TURN];
    epoll_ctl(load.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input);
    while (load.begun < load.count && load.begun < AT_ONCE)
        begin(&load.clients[load.begun]);
    while (load.ended < load.count) {
        int n = epoll_wait(load.epoll, events, TURN, -1);
        for (int i = 0; i < n; i++) {
            struct client *c = events[i].data.ptr;
            if (!c)
                exit(0);
            receive(c);
        }
    }
}

static void read_arguments(char **words)
{
    static const char *const kinds[] = {"websocket", "polling", "kept"};
    load.address = (struct sockaddr_in){.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)atoi(words[1])),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    while (strcmp(words[3], kinds[load.kind]) != 0)
        if (++load.kind > KEPT)
            fail(NULL, "expected websocket, polling or kept");
    load.count = strtoul(words[4], NULL, 10);
    load.stay = strcmp(words[5], "stay") == 0;
    snprintf(load.common, sizeof load.common,
             "Host: localhost\r\nAccept: */*\r\nUser-Agent: connect_load\r\nConnection: %s\r\n"
             "Authorization: Bearer %s\r\n",
             load.kind == WEBSOCKET ? "Upgrade"
             : load.kind == POLLING ? "close"
                                    : "keep-alive",
             words[2]);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    if (argc != 6)
        fail(NULL, "expected PORT TOKEN KIND COUNT STAY");
    read_arguments(argv);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.clients = calloc(load.count > AT_ONCE ? load.count : AT_ONCE, sizeof *load.clients);
    if (load.epoll < 0 || !load.clients)
        fail(NULL, "no memory");
    run();
    return 0;
}
