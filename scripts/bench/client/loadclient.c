/* The load client: thousands of WebSocket clients on one thread, which count what they are sent.
 *
 * It connects all clients, says so, and then obeys lines on its standard input; each answer is a line of JSON.
 *
 *   paced COUNT INTERVAL_NS        let the publisher send COUNT messages, one each INTERVAL_NS
 *   flood MILLISECONDS WINDOW      let it send as much as arrives: at most WINDOW messages are under way, and at most
 *                                  about two seconds' worth, so that nothing need be lost
 *   quit
 *
 * The publisher is told over the Unix socket --control, by lines "PHASE FIRST COUNT INTERVAL_NS". A run ends when
 * everything has arrived, when nothing has for --grace milliseconds, or LIMIT after the last of a paced run was due.
 */
#include "loadclient.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { EVENTS = 512, PHASES = 100, CONTROL_TRIES = 500 };

#define LIMIT (10 * SECOND)

static struct connection *connections;
static unsigned opened, listening, gone;
static char last_reason[96] = "";
static int poller, control = -1;

static void fail(const char *what)
{
    fprintf(stderr, "loadclient: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- connections --- */

static void open_next(void)
{
    struct connection *c = &connections[opened];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    int yes = 1;
    c->number = opened++;
    c->state = CONNECTING;
    if (inet_pton(AF_INET, options.host, &address.sin_addr) != 1 || (c->fd = socket(AF_INET, SOCK_STREAM, 0)) < 0)
        fail("socket");
    /* Blocking: on loopback it only waits while the server's backlog is full, which is for the server to answer for. */
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event) != 0)
        fail("epoll_ctl");
    send_handshake(c);
}

static void open_more(void)
{
    while (opened < options.clients && opened - listening - gone < options.at_once)
        open_next();
}

void subscribed(struct connection *c)
{
    c->state = LISTENING;
    listening++;
}

void drop(struct connection *c, const char *why)
{
    if (c->state == GONE)
        return;
    if (c->state == LISTENING)
        listening--;
    c->state = GONE;
    gone++;
    snprintf(last_reason, sizeof last_reason, "%s", why);
    for (char *p = last_reason; *p; p++)  /* it is printed as JSON, and a server may have said anything */
        if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\')
            *p = '?';
    close(c->fd);
    free(c->kept);
    c->kept = NULL;
    c->kept_size = 0;
}

/* --- one run --- */

static struct run {
    bool is_on, is_flood;
    uint64_t began, until;   /* when a flood grants no more */
    uint32_t granted;        /* messages that the publisher was told to send */
    uint32_t most;           /* how far the window of a flood may open */
    uint32_t marker;         /* when so many have arrived, look how long that took */
    uint64_t marker_ns, interval;
} run;
static unsigned phase;
static uint32_t window = 8;  /* kept from flood to flood, so that the first one may serve to open it */

static void tell_publisher(uint32_t count, uint64_t interval)
{
    char line[96];
    int size = snprintf(line, sizeof line, "%u %u %u %llu\n", phase, run.granted, count, (unsigned long long)interval);
    if (control < 0 || write(control, line, (size_t)size) != size)
        fail("the publisher does not listen");
    run.granted += count;
}

static void begin(bool is_flood, uint64_t first, uint64_t second)
{
    phase = (phase + 1) % PHASES;
    tally_begin(phase);
    for (unsigned i = 0; i < options.clients; i++)
        connections[i].next = 0;
    memset(&run, 0, sizeof run);
    run.is_on = true;
    run.is_flood = is_flood;
    run.began = run.marker_ns = now_ns();
    if (is_flood) {
        run.until = run.began + first * (SECOND / 1000);
        run.most = (uint32_t)second;
        if (window > run.most)
            window = run.most;
        run.marker = window;
    } else {
        run.interval = second;
        tell_publisher((uint32_t)first, second);
    }
}

/* Grant what keeps the window full. It doubles up to its limit while what is under way arrives within half a second:
   a server must never be idle and may gather much into one send, and a slow one must not take minutes to finish. */
static void grant(uint64_t now)
{
    uint32_t arrived = (uint32_t)((tally.received + tally.skipped) / (listening ? listening : 1));
    if (arrived >= run.marker) {
        uint64_t took = now - run.marker_ns;
        if (took < SECOND / 2 && window * 2 <= run.most)
            window *= 2;
        else if (took > 2 * SECOND && window > 2)
            window /= 2;
        run.marker = run.granted + 1;  /* look again when all that is now under way has come */
        run.marker_ns = now;
    }
    uint32_t half = window / 2;
    while (now < run.until && run.granted - arrived <= window - half)
        tell_publisher(half, 0);
}

static void report(uint64_t now)
{
    uint64_t expected = (uint64_t)run.granted * options.clients;
    uint64_t whole = tally.received - tally.late;
    uint64_t end = tally.received ? tally.last_ns : now;
    printf("{\"event\":\"result\",\"published\":%u,\"clients\":%u,\"gone\":%u,\"reason\":\"%s\",\"expected\":%llu,"
           "\"received\":%llu,\"missing\":%llu,\"skipped\":%llu,\"late\":%llu,\"strays\":%llu,\"bytes\":%llu,"
           "\"seconds\":%.6f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p100_us\":%.1f}\n",
           run.granted, listening, gone, last_reason, (unsigned long long)expected, (unsigned long long)tally.received,
           (unsigned long long)(expected > whole ? expected - whole : 0), (unsigned long long)tally.skipped,
           (unsigned long long)tally.late, (unsigned long long)tally.strays, (unsigned long long)tally.bytes,
           (double)(end - run.began) / 1e9, percentile_us(0.5), percentile_us(0.99), percentile_us(0.9999999));
    fflush(stdout);
    run.is_on = false;
}

static void advance(void)
{
    uint64_t now = now_ns();
    if (run.is_flood)
        grant(now);
    bool is_granted = !run.is_flood || now >= run.until;
    /* One that was overtaken was counted as skipped already. */
    bool is_whole = tally.received - tally.late + tally.skipped >= (uint64_t)run.granted * listening;
    uint64_t last = tally.last_ns > run.began ? tally.last_ns : run.began;
    uint64_t silence = now > last ? now - last : 0;
    /* A slow pace is silent between two messages. */
    bool is_late = !run.is_flood && now > run.began + run.granted * run.interval + LIMIT;
    if ((is_granted && is_whole) || silence > options.grace_ns + 2 * run.interval || is_late || listening == 0)
        report(now);
}

/* --- commands --- */

static bool obey(void)
{
    static char text[4096];
    static size_t held;
    ssize_t got = read(STDIN_FILENO, text + held, sizeof text - 1 - held);
    if (got <= 0)
        return false;
    held += (size_t)got;
    text[held] = '\0';
    char *line = text, *end;
    while ((end = strchr(line, '\n')) != NULL) {
        unsigned long long first = 0, second = 0;
        *end = '\0';
        if (strcmp(line, "quit") == 0)
            return false;
        if (sscanf(line, "paced %llu %llu", &first, &second) == 2 && first > 0)
            begin(false, first, second);
        else if (sscanf(line, "flood %llu %llu", &first, &second) == 2 && second >= 2)
            begin(true, first, second);
        else
            fprintf(stderr, "loadclient: no such command: %s\n", line);
        line = end + 1;
    }
    held = strlen(line);
    memmove(text, line, held);
    return true;
}

static void connect_control(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", options.control);
    if ((control = socket(AF_UNIX, SOCK_STREAM, 0)) < 0)
        fail("socket");
    for (int tries = 0; connect(control, (struct sockaddr *)&address, sizeof address) != 0; tries++) {
        if (tries == CONTROL_TRIES)
            fail(options.control);
        usleep(10000);  /* the publisher may not listen yet */
    }
}

int main(int argc, char **argv)
{
    struct rlimit files;
    struct epoll_event events[EVENTS], command = {.events = EPOLLIN, .data.ptr = NULL};
    bool is_ready = false;
    read_options(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if ((connections = calloc(options.clients, sizeof *connections)) == NULL || (poller = epoll_create1(0)) < 0)
        fail("memory");
    if (options.control != NULL)
        connect_control();
    if (epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &command) != 0)
        fail("standard input");
    uint64_t began = now_ns();
    for (;;) {
        open_more();
        int count = epoll_wait(poller, events, EVENTS, run.is_on ? 10 : 1000);
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (c == NULL) {
                if (!obey())
                    return 0;
            } else if (c->state != GONE) {
                on_readable(c);
            }
        }
        if (!is_ready && listening + gone == options.clients) {
            is_ready = true;
            printf("{\"event\":\"ready\",\"clients\":%u,\"gone\":%u,\"reason\":\"%s\",\"seconds\":%.6f}\n", listening,
                   gone, last_reason, (double)(now_ns() - began) / 1e9);
            fflush(stdout);
        }
        if (run.is_on)
            advance();
    }
}
