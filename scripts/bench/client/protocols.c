/* What the peers speak over their WebSockets: how to subscribe, and where a message of ours lies in what comes. */
#include "loadclient.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT = 1, BINARY = 2 };

static void say(struct connection *c, const char *text)
{
    send_frame(c, TEXT, text, strlen(text));
}

static bool holds(const char *data, size_t size, const char *word)
{
    return memmem(data, size, word, strlen(word)) != NULL;
}

/* --- plain: each frame is a message; the first says that the server has us among its clients --- */

static size_t take_plain(struct connection *c, const char *data, size_t size)
{
    if (c->state == LISTENING)
        tally_message(c, data, size);
    else
        subscribed(c);
    return size;
}

static void wait_for_server(struct connection *c)
{
    (void)c;  /* it speaks first */
}

/* --- corehost: JSON-RPC; each frame is a message --- */

static void open_corehost(struct connection *c)
{
    char text[256];
    say(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"bus.subscribe\",\"params\":{\"type\":\"bench:*\"}}");
    if (options.sets > 1) {  /* a second pattern, so that clients fall into as many groups as there are sets */
        snprintf(text, sizeof text,
                 "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"bus.subscribe\",\"params\":{\"type\":\"set%u:*\"}}",
                 c->number % options.sets);
        say(c, text);
    }
}

static size_t take_corehost(struct connection *c, const char *data, size_t size)
{
    if (c->state == LISTENING) {
        tally_message(c, data, size);
    } else if (holds(data, size, "\"error\"")) {
        drop(c, "the subscription was refused");
    } else if (holds(data, size, options.sets > 1 ? "\"id\":2" : "\"id\":1") && holds(data, size, "\"result\"")) {
        subscribed(c);
    }
    return size;
}

/* --- socketio: Engine.IO 4 below Socket.IO; each frame is a packet --- */

static size_t take_socketio(struct connection *c, const char *data, size_t size)
{
    if (size == 0)
        return size;
    if (data[0] == '2')
        say(c, "3");  /* its heartbeat, without which the server ends the connection */
    else if (data[0] == '0')
        say(c, "40");  /* the transport is open: join the main namespace */
    else if (c->state == LISTENING)
        tally_message(c, data, size);
    else if (size >= 2 && memcmp(data, "40", 2) == 0)
        subscribed(c);
    return size;
}

/* --- nats: the protocol of lines, in a stream --- */

static void open_nats(struct connection *c)
{
    static const char hello[] =
        "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false}\r\nSUB bench.tick 1\r\nPING\r\n";
    send_frame(c, BINARY, hello, sizeof hello - 1);
}

static size_t take_nats(struct connection *c, const char *data, size_t size)
{
    size_t at = 0;
    while (at < size && c->state != GONE) {
        const char *line = data + at, *end = memchr(line, '\n', size - at);
        if (end == NULL)
            break;
        size_t head = (size_t)(end + 1 - line);
        if (memcmp(line, "MSG ", head < 4 ? head : 4) == 0) {
            /* "MSG <subject> <sid> <size>\r\n": the size is what follows the last space. */
            const char *digits = end;
            while (digits > line && digits[-1] != ' ')
                digits--;
            size_t body = strtoul(digits, NULL, 10) + 2;
            if (size - at - head < body)
                break;
            tally_message(c, end + 1, body);
            at += body;
        } else if (memcmp(line, "PING", head < 4 ? head : 4) == 0) {
            send_frame(c, BINARY, "PONG\r\n", 6);
        } else if (memcmp(line, "PONG", head < 4 ? head : 4) == 0) {
            if (c->state == GREETING)
                subscribed(c);
        } else if (line[0] == '-') {
            char why[64];
            snprintf(why, sizeof why, "nats-server says %.*s", (int)(head > 3 ? (head < 40 ? head - 2 : 40) : 0), line);
            drop(c, why);
        }
        at += head;
    }
    return at;
}

/* --- mqtt: MQTT 3.1.1 at QoS 0, in a stream --- */

static void open_mqtt(struct connection *c)
{
    char hello[64];
    /* CONNECT, clean session, no keep-alive; then the client's id. */
    static const char head[] = {0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0};
    int id = snprintf(hello + sizeof head + 1, 32, "bench-%u", c->number);
    memcpy(hello, head, sizeof head);
    hello[1] = (char)(sizeof head - 2 + 1 + (size_t)id);
    hello[sizeof head] = (char)id;
    send_frame(c, BINARY, hello, sizeof head + 1 + (size_t)id);
}

static void take_mqtt_packet(struct connection *c, int type, const char *body, size_t size)
{
    if (type == 3) {
        tally_message(c, body, size);
    } else if (type == 2) {
        static const char subscribe[] = {(char)0x82, 15, 0, 1, 0, 10, 'b', 'e', 'n', 'c', 'h', '/', 't', 'i', 'c', 'k', 0};
        if (size == 2 && body[1] == 0)
            send_frame(c, BINARY, subscribe, sizeof subscribe);
        else
            drop(c, "Mosquitto refused the connection");
    } else if (type == 9 && c->state == GREETING) {
        subscribed(c);
    }
}

static size_t take_mqtt(struct connection *c, const char *data, size_t size)
{
    size_t at = 0;
    while (c->state != GONE) {
        size_t n = at + 1, length = 0;
        unsigned shift = 0;
        bool more = true;
        while (n < size && more) {  /* the length is in groups of seven bits, the lowest first */
            length |= (size_t)((unsigned char)data[n] & 127u) << shift;
            more = data[n++] & 128;
            shift += 7;
        }
        if (more || size - n < length)
            break;
        take_mqtt_packet(c, (unsigned char)data[at] >> 4, data + n, length);
        at = n + length;
    }
    return at;
}

static const struct protocol protocols[] = {
    {"plain", "/", NULL, false, wait_for_server, take_plain},
    {"corehost", "/api/plugins/messages", "corehost.v1", false, open_corehost, take_corehost},
    /* No more than the handshake, until the host greets: its greeting is the first frame. */
    {"handshake", "/api/plugins/messages", "corehost.v1", false, wait_for_server, take_plain},
    {"socketio", "/socket.io/?EIO=4&transport=websocket", NULL, false, wait_for_server, take_socketio},
    {"nats", "/", NULL, true, open_nats, take_nats},
    {"mqtt", "/mqtt", "mqtt", true, open_mqtt, take_mqtt},
};

const struct protocol *find_protocol(const char *name)
{
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
        if (strcmp(protocols[i].name, name) == 0)
            return &protocols[i];
    return NULL;
}
