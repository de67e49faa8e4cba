"""What an AppArmor profile allows, read from its text: no kernel with AppArmor is needed."""

import pathlib
import re

FOLDER = pathlib.Path("/etc/apparmor.d")
INCLUDE = re.compile(r"include (if exists )?<(.*)>$")
VARIABLE = re.compile(r"(@\{\w+\})\s*(\+?=)\s*(.*)$")
FILE = re.compile(r"(?:owner )?\"?((?:/|@\{)\S*)\s+([rwamklixPpCcUu]+)$")
MOUNT = re.compile(r"(mount|remount|umount)(?: fstype=(\S+))?(?: options=\(?([\w, ]+)\)?)?"
                   r"(?: (?!->)\S+)?(?: -> (\S+))?$")


def lines_of(text):
    """Statements of a profile, each without its comment and the comma at its end."""
    for line in text.splitlines():
        line = line.strip()
        if not line.startswith("#include"):
            line = re.sub(r"\s*(^|\s)#.*", "", line)
        yield re.sub(r"\s+", " ", line.lstrip("#").rstrip(",").strip())


class Profile:
    """The rules of one profile, those that it includes among them."""

    def __init__(self, text):
        self.variables, self.files, self.denied, self.mounts, self.others = {}, [], [], [], set()
        self._read(text)

    def _read(self, text):
        for line in lines_of(text):
            if found := INCLUDE.match(line):
                self._include(found[2], found[1])
            elif found := VARIABLE.match(line):
                values = [value.rstrip("/") for value in found[3].replace('"', "").split()]
                known = self.variables.get(found[1], []) if found[2] == "+=" else []
                self.variables[found[1]] = known + values
            elif found := FILE.match(line.removeprefix("audit ").removeprefix("deny ")):
                to = self.denied if "deny " in line[:12] else self.files
                to.append((self._glob(found[1]), set(found[2])))
            elif found := MOUNT.match(line):
                options = set(re.split(r"[, ]+", found[3])) if found[3] else None
                self.mounts.append((found[1], found[2], options, line))
            else:
                self.others.add(line)

    def _include(self, name, optional):
        path = FOLDER / name
        if optional and not path.exists():
            return
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            self._read(file.read_text())

    def _glob(self, text):
        """A pattern of paths as a regular expression."""
        def value(found):
            return "{" + ",".join(self.variables[found[0]]) + "}"
        while re.search(r"@\{\w+\}", text):
            text = re.sub(r"@\{\w+\}", value, text)
        parts = {"**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")", ",": "|"}
        tokens = re.findall(r"\*\*|\[[^]]*\]|\\.|.", text)
        return re.compile("".join(parts.get(t, t if t[0] in "[\\" else re.escape(t)) for t in tokens))

    def allows_file(self, path, perms):
        """Whether all of the permissions are given for a path, by one rule or several."""
        left = set(perms)
        for pattern, given in self.files:
            if pattern.fullmatch(path):
                left -= given
        return not left and not any(pattern.fullmatch(path) and given & set(perms)
                                    for pattern, given in self.denied)

    def allows_mount(self, kind, fstype, options):
        """Whether a call of this kind with just these options has a rule."""
        return any(rule[0] == kind and rule[1] in (None, fstype) and rule[2] in (None, options)
                   for rule in self.mounts)

    def allows(self, *rules):
        """Whether one of the rules stands there as it is."""
        return any(rule in self.others for rule in rules)
