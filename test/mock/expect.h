/* expect: what a test or a mock demands; if it is not so, one line says why and the program aborts.
 */
#ifndef TEST_EXPECT_H
#define TEST_EXPECT_H

#define expect(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            expect_failed(__FILE__, __LINE__, __VA_ARGS__);                                        \
    } while (0)
void expect_failed(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

#endif
