/* warnings: see warnings.h. */
#include "daemon/warnings.h"

#include <stdio.h>
#include <sys/stat.h>

#include "config/config_warn.h"
#include "pg/conninfo.h"

/* others: the permissions that others must not have. */
static void check_file(const char *option, const char *path, mode_t others, const char *so,
                       void (*warn)(const char *text))
{
    char text[8192];
    struct stat st;
    if (*path == '\0' || stat(path, &st) != 0 || (st.st_mode & others) == 0)
        return;
    snprintf(text, sizeof text,
             "%s: expected a file that others can not %s, found the mode %04o at %s: who can %s it "
             "can make tokens for anybody; run chmod o-rwx on it",
             option, so, (unsigned)(st.st_mode & 07777), path, so);
    warn(text);
}

void warnings_find(const struct config *config, void (*warn)(const char *text))
{
    char text[512];
    config_warn(config, warn);
    check_file("jwt_secret_file", config->jwt_secret_file, S_IROTH | S_IWOTH, "read or change",
               warn);
    check_file("jwks_file", config->jwks_file, S_IWOTH, "change", warn);
    check_file("jwks_ca_file", config->jwks_ca_file, S_IWOTH, "change", warn);
    if (!conninfo_is_safe(config->conninfo, text, sizeof text))
        warn(text);
}
