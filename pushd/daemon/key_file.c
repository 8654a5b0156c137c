/* key_file: see key_file.h. */
#include "daemon/key_file.h"
#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char *read_all(int fd, size_t max, size_t *len)
{
    char *text = must(malloc(max + 1));
    ssize_t n = 0;
    *len = 0;
    while (text && *len <= max &&
           ((n = read(fd, text + *len, max + 1 - *len)) > 0 || (n < 0 && errno == EINTR)))
        *len += n > 0 ? (size_t)n : 0;
    if (text && (n < 0 || *len > max)) {
        errno = n < 0 ? errno : EFBIG; /* it has grown */
        free(text);
        text = NULL;
    }
    return text;
}

char *key_file_read(const char *path, size_t max, size_t *len)
{
    struct stat st = {0};
    char *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) != 0)
        st.st_mode = 0;
    if (S_ISREG(st.st_mode) && (size_t)st.st_size <= max)
        text = read_all(fd, max, len);
    else
        errno = S_ISDIR(st.st_mode) ? EISDIR : S_ISREG(st.st_mode) ? EFBIG : EINVAL;
    int saved = errno;
    close(fd);
    errno = saved;
    return text;
}
