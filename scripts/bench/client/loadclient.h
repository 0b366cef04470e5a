/* What the parts of the load client share. */
#ifndef LOADCLIENT_H
#define LOADCLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECOND UINT64_C(1000000000)

enum { KEPT = 8192, HEADER = 14 };

enum state {
    CONNECTING,  /* TCP, then the HTTP answer to our handshake */
    GREETING,    /* the WebSocket stands, the protocol on it is not yet subscribed */
    LISTENING,   /* subscribed: from here on messages count */
    GONE
};

struct connection {
    int fd;
    unsigned number;
    enum state state;
    uint32_t next;        /* the sequence number that must come next in this phase */
    /* A frame whose bytes are not all here. Only its header and, for stream protocols, an unfinished packet are
       kept; a whole frame of a message protocol is at most KEPT. */
    unsigned char header[HEADER];
    unsigned header_size;
    uint64_t frame_left;  /* payload bytes of the frame at hand that are still to come (stream protocols) */
    unsigned kept_size;
    char *kept;
};

/* One way to speak over a WebSocket. */
struct protocol {
    const char *name;
    const char *path;
    const char *subprotocol;
    bool is_stream;  /* packets ignore the borders of frames */
    /* Say hello; called once the WebSocket stands. */
    void (*opened)(struct connection *c);
    /* Take one whole message, or from a stream as many whole packets as there are; returns the bytes consumed. */
    size_t (*take)(struct connection *c, const char *data, size_t size);
};

struct options {
    const struct protocol *protocol;
    const char *host, *path, *header, *control;
    unsigned port, clients, at_once, sets;
    uint64_t grace_ns;  /* a run is over when nothing has come for so long */
};

/* options.c */
extern struct options options;
void read_options(int argc, char **argv);

/* loadclient.c */
void subscribed(struct connection *c);
void drop(struct connection *c, const char *why);

/* websocket.c */
void send_handshake(struct connection *c);
void send_frame(struct connection *c, int opcode, const char *data, size_t size);
void on_readable(struct connection *c);

/* protocols.c */
const struct protocol *find_protocol(const char *name);

/* tally.c */
struct tally {
    unsigned phase;
    uint64_t received, bytes, skipped, late, strays;
    uint64_t first_ns, last_ns;
};
extern struct tally tally;

uint64_t now_ns(void);
void tally_begin(unsigned phase);
void tally_at(uint64_t ns);
/* Count the message of ours that lies in *data*, if one does. */
void tally_message(struct connection *c, const char *data, size_t size);
/* Count one more thing that took so long. */
void tally_latency(uint64_t ns);
double percentile_us(double fraction);

#endif
