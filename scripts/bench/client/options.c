/* The command line of the load client. */
#include "loadclient.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

struct options options = {
    .host = "127.0.0.1", .header = "", .clients = 1, .at_once = 64, .sets = 1, .grace_ns = 5 * SECOND};

void read_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"protocol", required_argument, NULL, 'p'}, {"host", required_argument, NULL, 'a'},
        {"port", required_argument, NULL, 'o'},     {"path", required_argument, NULL, 'u'},
        {"header", required_argument, NULL, 'h'},   {"clients", required_argument, NULL, 'c'},
        {"at-once", required_argument, NULL, 'n'},  {"control", required_argument, NULL, 'k'},
        {"sets", required_argument, NULL, 's'},     {"grace", required_argument, NULL, 'g'},
        {NULL, 0, NULL, 0}};
    int which;
    while ((which = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (which) {
        case 'p': options.protocol = find_protocol(optarg); break;
        case 'a': options.host = optarg; break;
        case 'o': options.port = (unsigned)atoi(optarg); break;
        case 'u': options.path = optarg; break;
        case 'h': options.header = optarg; break;
        case 'c': options.clients = (unsigned)atoi(optarg); break;
        case 'n': options.at_once = (unsigned)atoi(optarg); break;
        case 'k': options.control = optarg; break;
        case 's': options.sets = (unsigned)atoi(optarg); break;
        case 'g': options.grace_ns = (uint64_t)atoi(optarg) * (SECOND / 1000); break;
        default: exit(2);
        }
    }
    if (options.protocol == NULL || options.port == 0 || options.clients == 0 || options.at_once == 0) {
        fprintf(stderr, "loadclient --protocol plain|corehost|handshake|socketio|nats|mqtt --port N --clients N [--control PATH] "
                        "[--host A] [--path P] [--header 'Name: value'] [--at-once N] [--sets N] [--grace MS]\n");
        exit(2);
    }
    if (options.path == NULL)
        options.path = options.protocol->path;
}
