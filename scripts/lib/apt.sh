# Installs and fetches Debian packages; to be sourced by a bash script under `set -eu`.
# Nothing here asks apt for anything that is there already, so that all works offline then.

packages_list=$(dirname "${BASH_SOURCE[0]}")/packages
apt_options=(-qq -o DPkg::Lock::Timeout=300 -o APT::Sandbox::User=root)
debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# root_possible: whether this is root, or sudo can be had.
root_possible()
{
	[ "$(id -u)" = 0 ] ||
		{ command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; }
}

# apt_as_root ARGUMENT...: apt-get by root; without a way to that says what to run, and fails.
apt_as_root()
{
	local sudo=

	root_possible || { echo "please run as root: apt-get $*" >&2; return 1; }
	[ "$(id -u)" = 0 ] || sudo=sudo
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get "${apt_options[@]}" "$@" >/dev/null
}

# packages_missing GROUP...: prints the packages of these groups that are not installed.
packages_missing()
{
	local wanted installed

	wanted=$(awk -v groups=" $* " '!/^#/ && index(groups, " " $1 " ") { print $2 }' \
		"$packages_list" | sort -u)
	installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
		sed -n 's/^installed //p' | sort -u)
	comm -23 <(echo "$wanted") <(echo "$installed")
}

# packages_install GROUP...: installs what packages_missing names, if anything.
packages_install()
{
	local missing

	missing=$(packages_missing "$@")
	[ -n "$missing" ] || return 0
	! root_possible || { echo "installing:" $missing; apt_as_root update || :; }
	apt_as_root install -y --no-install-recommends $missing
}

# package_dependency PACKAGE PATTERN: prints the first dependency of PACKAGE that matches.
package_dependency()
{
	apt-cache depends "$1" | sed -n 's/^ *Depends: //p' | grep -m 1 -e "$2"
}

# package_download PACKAGE DIR: fetches PACKAGE into the folder DIR; nothing is installed.
package_download()
{
	(cd "$2" && apt-get "${apt_options[@]}" download "$1")
}

# debian_mirror: prints the address of the mirror that the system's apt has Debian from.
debian_mirror()
{
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' |
		grep -v security | sort -u | head -n 1
}
