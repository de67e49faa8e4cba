/* postern.c: the program; all of it is in the libraries. */
#include "base/program.h"
#include "daemon/daemon.h"

int main(int argc, char **argv)
{
	program_called(argv[0]);
	return daemon_main(argc, argv);
}
