/* The client's side of RFC 6455, as far as a load client needs it: no extensions, no fragments to send.
 *
 * What we send is masked with a key of zero, which leaves the bytes as they are: servers must accept any key.
 */
#include "loadclient.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { CONTINUATION = 0, CLOSE = 8, PING = 9, PONG = 10, FIN = 0x80, MASKED = 0x80 };

/* One buffer for all connections: what is left over after a recv is small and is kept with its connection. */
enum { CHUNK = 262144 };
static char buffer[KEPT + CHUNK];

static void send_all(struct connection *c, const char *data, size_t size)
{
    /* A few bytes into an idle socket: if the kernel does not take them, the server does not read. */
    if (send(c->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size)
        drop(c, "the server does not read");
}

void send_handshake(struct connection *c)
{
    char text[2048], subprotocol[128] = "";
    if (options.protocol->subprotocol != NULL)
        snprintf(subprotocol, sizeof subprotocol, "Sec-WebSocket-Protocol: %s\r\n", options.protocol->subprotocol);
    int size = snprintf(text, sizeof text,
                        "GET %s HTTP/1.1\r\nHost: %s:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: bG9hZGNsaWVudDogMTZiIQ==\r\nSec-WebSocket-Version: 13\r\n%s%s%s\r\n",
                        options.path, options.host, options.port, subprotocol, options.header,
                        *options.header ? "\r\n" : "");
    send_all(c, text, (size_t)size);
}

void send_frame(struct connection *c, int opcode, const char *data, size_t size)
{
    char frame[1024 + HEADER];
    unsigned n = 0;
    if (size > sizeof frame - HEADER)
        abort();
    frame[n++] = (char)(FIN | opcode);
    if (size < 126) {
        frame[n++] = (char)(MASKED | size);
    } else {
        frame[n++] = (char)(MASKED | 126);
        frame[n++] = (char)(size >> 8);
        frame[n++] = (char)size;
    }
    memset(frame + n, 0, 4);
    n += 4;
    memcpy(frame + n, data, size);
    send_all(c, frame, n + size);
}

static void control(struct connection *c, int opcode, const char *data, size_t size)
{
    if (opcode == PING) {
        send_frame(c, PONG, data, size);
    } else if (opcode == CLOSE) {
        char why[64];
        unsigned code = size >= 2 ? ((unsigned char)data[0] << 8 | (unsigned char)data[1]) : 1005;
        snprintf(why, sizeof why, "closed by the server with %u", code);
        drop(c, why);
    }
}

/* Read a frame's header; return its size, or 0 if it is not all here. */
static unsigned frame_header(const unsigned char *data, size_t size, uint64_t *length)
{
    if (size < 2)
        return 0;
    unsigned short_length = data[1] & 127u, extra = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
    if (size < 2 + extra)
        return 0;
    *length = extra ? 0 : short_length;
    for (unsigned i = 0; i < extra; i++)
        *length = *length << 8 | data[2 + i];
    return 2 + extra;
}

static void keep(struct connection *c, const char *data, size_t size)
{
    if (size > KEPT) {
        drop(c, "a message longer than any we asked for");
        return;
    }
    if (size && c->kept == NULL && (c->kept = malloc(KEPT)) == NULL)
        abort();
    if (size)
        memcpy(c->kept, data, size);
    c->kept_size = (unsigned)size;
}

/* Whole frames, each of them one message. */
static void take_messages(struct connection *c, size_t size)
{
    size_t at = 0;
    while (c->state != GONE) {
        uint64_t length = 0;
        unsigned head = frame_header((unsigned char *)buffer + at, size - at, &length);
        if (head == 0 || size - at - head < length)
            break;
        int opcode = buffer[at] & 15;
        if (opcode >= CLOSE)
            control(c, opcode, buffer + at + head, length);
        else if (opcode == CONTINUATION || !(buffer[at] & FIN))
            drop(c, "a fragment, which no peer sends for messages this short");
        else
            options.protocol->take(c, buffer + at + head, length);
        at += head + length;
    }
    if (c->state != GONE)
        keep(c, buffer + at, size - at);
}

/* Frames whose payloads, put together, are a stream of packets: take the headers out, in place. */
static void take_stream(struct connection *c, size_t size)
{
    size_t from = c->kept_size, to = c->kept_size;  /* what was kept is packets already, without headers */
    while (from < size && c->state != GONE) {
        if (c->frame_left == 0) {
            /* The header may be cut in two; its first part is then with the connection. */
            while (from < size && c->frame_left == 0) {
                c->header[c->header_size++] = (unsigned char)buffer[from++];
                uint64_t length = 0;
                if (frame_header(c->header, c->header_size, &length) == 0)
                    continue;
                c->header_size = 0;
                int opcode = c->header[0] & 15;
                if (opcode < CLOSE) {
                    c->frame_left = length;
                } else if (size - from >= length) {
                    control(c, opcode, buffer + from, length);
                    from += length;
                } else {
                    drop(c, "a control frame in two parts");  /* never seen; at most 125 bytes */
                }
            }
            continue;
        }
        size_t part = size - from < c->frame_left ? size - from : c->frame_left;
        memmove(buffer + to, buffer + from, part);
        to += part;
        from += part;
        c->frame_left -= part;
    }
    if (c->state == GONE)
        return;
    size_t used = options.protocol->take(c, buffer, to);
    if (c->state != GONE)
        keep(c, buffer + used, to - used);
}

/* The answer to the handshake; returns how much of the buffer it is, 0 if it is not all here. */
static size_t take_answer(struct connection *c, size_t size)
{
    char *end = memmem(buffer, size, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    if (size < 12 || memcmp(buffer, "HTTP/1.1 101", 12) != 0) {
        char why[64];
        int line = (int)((char *)memchr(buffer, '\r', size) - buffer);
        snprintf(why, sizeof why, "the server answered '%.*s'", line < 30 ? line : 30, buffer);
        drop(c, why);
        return 0;
    }
    c->state = GREETING;
    options.protocol->opened(c);
    return (size_t)(end + 4 - buffer);
}

void on_readable(struct connection *c)
{
    if (c->kept_size)
        memcpy(buffer, c->kept, c->kept_size);
    ssize_t got = recv(c->fd, buffer + c->kept_size, CHUNK, 0);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            drop(c, got == 0 ? "the server ended the connection" : strerror(errno));
        return;
    }
    tally_at(now_ns());
    size_t size = c->kept_size + (size_t)got;
    if (c->state == CONNECTING) {
        size_t answer = take_answer(c, size);
        if (c->state == GONE)
            return;
        if (answer == 0) {
            keep(c, buffer, size);
            return;
        }
        size -= answer;
        memmove(buffer, buffer + answer, size);
        c->kept_size = 0;
    }
    if (options.protocol->is_stream)
        take_stream(c, size);
    else
        take_messages(c, size);
}
