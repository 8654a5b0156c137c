/* vantage6-pushd: delivers the events of vantage6_events to Socket.IO clients. */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"
#include "daemon/daemon.h"
#include "daemon/keys.h"
#include "daemon/warnings.h"
#include "pg/conninfo.h"

static void warn(const char *text)
{
    fprintf(stderr, "vantage6-pushd: warning: %s\n", text);
}

static int check(const struct config *config)
{
    char err[512];
    if (keys_check(config, err, sizeof err) != 0 ||
        !conninfo_check(config->conninfo, err, sizeof err)) {
        fprintf(stderr, "vantage6-pushd: %s\n", err);
        return DAEMON_CONFIG;
    }
    warnings_find(config, warn);
    puts("configuration ok");
    return DAEMON_OK;
}

int main(int argc, char **argv)
{
    struct config config;
    char err[512];
    int status = DAEMON_OK;
    if (config_load(&config, argc, argv, environ, err, sizeof err) != 0) {
        fprintf(stderr, "vantage6-pushd: %s\n", err);
        config_free(&config);
        return DAEMON_CONFIG;
    }
    log_setup((enum log_level)config.log_level, config.log_json);
    switch (config.action) {
    case CONFIG_HELP:
        config_help(stdout);
        break;
    case CONFIG_VERSION:
        puts("vantage6-pushd " PUSHD_VERSION);
        break;
    case CONFIG_PRINT:
        config_print(&config, conninfo_mask, stdout);
        break;
    case CONFIG_CHECK:
        status = check(&config);
        break;
    case CONFIG_SERVE:
        status = daemon_run(&config);
        break;
    }
    config_free(&config);
    return status;
}
