/* The load client for plain HTTP: keep-alive connections that each send the next request when they have the answer,
 * or a pause later.
 *
 *   httpclient --port N --connections N --seconds S --path P [--header 'Name: value'] [--pause MS]
 *
 * Prints one line of JSON. An answer must have a Content-Length; one that is not 200 counts as an error. A connection
 * that the server ends between two requests is opened again, as any client would.
 */
#include "loadclient.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER = 1 << 20, EVENTS = 256 };

struct exchange {
    int fd;
    char *answer;
    size_t size;
    uint64_t sent_ns;
    uint64_t due_ns;  /* when to ask again; 0 while an answer is awaited */
};

static unsigned port, count = 16, seconds = 5, pause_ms;
static const char *path = "/", *header = "";
static char request[4096];
static size_t request_size;
static int poller;
static uint64_t errors, reopened;

static void fail(const char *what)
{
    fprintf(stderr, "httpclient: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void ask(struct exchange *e)
{
    e->size = 0;
    e->due_ns = 0;
    e->sent_ns = now_ns();
    if (send(e->fd, request, request_size, MSG_NOSIGNAL) != (ssize_t)request_size)
        errors++;  /* the connection is gone, which epoll tells next */
}

static void open_connection(struct exchange *e)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = e};
    int yes = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if ((e->fd = socket(AF_INET, SOCK_STREAM, 0)) < 0 || connect(e->fd, (void *)&address, sizeof address) != 0)
        fail("connect");
    setsockopt(e->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (epoll_ctl(poller, EPOLL_CTL_ADD, e->fd, &event) != 0)
        fail("epoll_ctl");
    ask(e);
}

/* Return the size of the whole answer, 0 while it cannot be known. */
static size_t whole_size(struct exchange *e)
{
    char *end = memmem(e->answer, e->size, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    for (char *line = e->answer; line < end; line = strchr(line, '\n') + 1)
        if (strncasecmp(line, "content-length:", 15) == 0)
            return (size_t)(end + 4 - e->answer) + strtoul(line + 15, NULL, 10);
    fprintf(stderr, "httpclient: an answer without a Content-Length: %.60s\n", e->answer);
    exit(1);
}

static void on_answer(struct exchange *e)
{
    ssize_t got = recv(e->fd, e->answer + e->size, ANSWER - 1 - e->size, 0);
    if (got <= 0) {
        if (e->size)
            errors++;  /* cut off in the middle */
        close(e->fd);
        reopened++;
        open_connection(e);
        return;
    }
    e->size += (size_t)got;
    e->answer[e->size] = '\0';
    size_t whole = whole_size(e);
    if (whole == 0 || e->size < whole)
        return;
    if (strncmp(e->answer, "HTTP/1.1 200", 12) != 0) {
        if (errors++ == 0)
            fprintf(stderr, "httpclient: %.80s\n", e->answer);
    }
    uint64_t now = now_ns();
    tally_latency(now - e->sent_ns);
    if (pause_ms)
        e->due_ns = now + pause_ms * UINT64_C(1000000);
    else
        ask(e);
}

/* Ask where the pause is over, and return for how many milliseconds nobody is due. */
static int ask_due(struct exchange *all)
{
    uint64_t now = now_ns(), next = now + UINT64_C(100000000);
    for (unsigned i = 0; i < count; i++) {
        if (all[i].due_ns && all[i].due_ns <= now)
            ask(&all[i]);
        else if (all[i].due_ns && all[i].due_ns < next)
            next = all[i].due_ns;
    }
    return (int)((next - now + 999999) / 1000000);
}

static void read_arguments(int argc, char **argv)
{
    static const struct option known[] = {
        {"port", required_argument, NULL, 'o'},    {"connections", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 's'}, {"path", required_argument, NULL, 'u'},
        {"header", required_argument, NULL, 'h'},  {"pause", required_argument, NULL, 'w'},
        {NULL, 0, NULL, 0}};
    int which;
    while ((which = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (which) {
        case 'o': port = (unsigned)atoi(optarg); break;
        case 'c': count = (unsigned)atoi(optarg); break;
        case 's': seconds = (unsigned)atoi(optarg); break;
        case 'u': path = optarg; break;
        case 'h': header = optarg; break;
        case 'w': pause_ms = (unsigned)atoi(optarg); break;
        default: exit(2);
        }
    }
    request_size = (size_t)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s%s\r\n", path,
                                    port, header, *header ? "\r\n" : "");
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];
    read_arguments(argc, argv);
    struct exchange *all = calloc(count, sizeof *all);
    if (all == NULL || (poller = epoll_create1(0)) < 0)
        fail("memory");
    uint64_t began = now_ns(), until = began + seconds * UINT64_C(1000000000), now = began;
    for (unsigned i = 0; i < count; i++) {
        if ((all[i].answer = malloc(ANSWER)) == NULL)
            fail("memory");
        open_connection(&all[i]);
    }
    while (now < until) {
        int ready = epoll_wait(poller, events, EVENTS, ask_due(all));
        for (int i = 0; i < ready; i++)
            on_answer(events[i].data.ptr);
        now = now_ns();
    }
    printf("{\"requests\":%llu,\"errors\":%llu,\"reopened\":%llu,\"seconds\":%.6f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
           "\"p100_us\":%.1f}\n",
           (unsigned long long)tally.received, (unsigned long long)errors, (unsigned long long)reopened,
           (double)(now - began) / 1e9, percentile_us(0.5), percentile_us(0.99), percentile_us(0.9999999));
    return 0;
}
