/* posternctl.c: the program; all of it is in the libraries. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
