/* notice: see notice.h. hub_tick() is in hub.h. */
#include "socketio/notice.h"
#include "base/log.h"
#include "socketio/hub_state.h"

static void write_line(const struct socket *k, const char *what, const char *reason)
{
    const struct client *c = k->client;
    log_info("%s principal=%lld namespace=%s transport=%s address=%s sid=%s"
             " user_agent=\"%s\"%s%s%s",
             what, (long long)k->noticed, k->nsp, c->session->websocket ? "websocket" : "polling",
             c->session->address, k->sid, c->user_agent ? c->user_agent : "",
             *reason ? " reason=\"" : "", reason, *reason ? "\"" : "");
}

void notice_joined(struct socket *k, uint64_t now)
{
    struct hub *hub = k->client->hub;
    if (!log_limit_allows(&hub->lines, now))
        return;
    k->noticed = k->principal;
    write_line(k, "client connected", "");
}

void notice_ended(struct socket *k, const char *reason)
{
    if (k->noticed)
        write_line(k, "client ended", reason);
}

void hub_tick(struct hub *hub, uint64_t now)
{
    uint64_t n = log_limit_take(&hub->lines, now);
    if (n > 0)
        log_info("clients connected: %llu more were not logged (client_log_rate); the view "
                 "connection_history has all",
                 (unsigned long long)n);
}
