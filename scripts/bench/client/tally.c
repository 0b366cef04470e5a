/* Count what arrives: that it is whole, in order, and how old it is.
 *
 * A payload carries "#PPSSSSSSSSTTTTTTTTTTTTTTTTTTT": two digits of phase, eight of sequence number (from 0 in each
 * phase), nineteen of the moment it was due, in nanoseconds of CLOCK_MONOTONIC, which all processes share. No
 * envelope of any peer holds a '#', so memchr finds it at the speed of memory.
 */
#include "loadclient.h"

#include <string.h>
#include <time.h>

enum { PHASE = 2, SEQUENCE = 8, TIME = 19, MARK = 1 + PHASE + SEQUENCE + TIME };

/* Log-linear buckets of microseconds: 64 for each doubling, so a percentile is right within 2 %. */
enum { STEPS = 64, DOUBLINGS = 32, BUCKETS = STEPS * (DOUBLINGS + 2) };

struct tally tally;
static uint32_t histogram[BUCKETS];
static uint64_t arrival_ns;

uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void tally_begin(unsigned phase)
{
    memset(&tally, 0, sizeof tally);
    memset(histogram, 0, sizeof histogram);
    tally.phase = phase;
}

/* The moment at which all that is counted from now on had arrived: one clock call for each recv, not each message. */
void tally_at(uint64_t ns)
{
    arrival_ns = ns;
}

static uint64_t number(const char *digits, unsigned count)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < count; i++)
        value = value * 10 + (uint64_t)(digits[i] - '0');
    return value;
}

static unsigned bucket_of(uint64_t us)
{
    unsigned shift = 0;
    while (us >> shift >= 2 * STEPS)
        shift++;
    unsigned bucket = shift * STEPS + (unsigned)(us >> shift);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static double middle_of(unsigned bucket)
{
    if (bucket < 2 * STEPS)
        return bucket;
    unsigned shift = bucket / STEPS - 1;
    return (double)((uint64_t)(bucket - shift * STEPS) << shift) + (double)((uint64_t)1 << shift) / 2;
}

void tally_message(struct connection *c, const char *data, size_t size)
{
    const char *mark = memchr(data, '#', size);
    if (mark == NULL || (size_t)(data + size - mark) < MARK)
        return;  /* a greeting, a heartbeat */
    if (number(mark + 1, PHASE) != tally.phase) {
        tally.strays++;  /* of an earlier phase that was given up */
        return;
    }
    uint32_t sequence = (uint32_t)number(mark + 1 + PHASE, SEQUENCE);
    uint64_t due = number(mark + 1 + PHASE + SEQUENCE, TIME);
    tally.bytes += size;
    tally.last_ns = arrival_ns;
    if (sequence < c->next) {
        tally.late++;  /* twice, or overtaken by a later one */
    } else {
        tally.skipped += sequence - c->next;
        c->next = sequence + 1;
    }
    tally_latency(arrival_ns > due ? arrival_ns - due : 0);
}

void tally_latency(uint64_t ns)
{
    tally.received++;
    histogram[bucket_of(ns / 1000)]++;
}

double percentile_us(double fraction)
{
    uint64_t wanted = (uint64_t)((double)tally.received * fraction), seen = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += histogram[i];
        if (seen > wanted)
            return middle_of(i);
    }
    return 0;
}
