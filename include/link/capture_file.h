/* link/capture_file.h: the files, pipes and sockets that captures of the link are written to. */
#ifndef LINK_CAPTURE_FILE_H
#define LINK_CAPTURE_FILE_H

#include "proto/capture.h"

struct capture_file;
struct edge_set;

/* The host of captures_new(). */
struct capture_files {
	struct env *env;
	struct edge_set *edges; /* which tells when a pipe or socket takes more */
	struct capture_file *streams; /* the pipes and sockets; NULL at first */
};

/* open() takes what can be written to and is a regular file, a pipe or a stream socket, the
 * latter two with O_NONBLOCK until close(), which all see that have them open; else -EINVAL.  A
 * regular file is written to as fast as its file system takes it, in few large writes; of a
 * block that it took a part of only, that is cut off. */
extern const struct capture_ops capture_file_ops;

#endif
