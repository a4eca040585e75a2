// SPDX-License-Identifier: Apache-2.0
// Where the drop-ins are not like libcgroup's tools, and why. docs/cgroup-tools.md has the same list, a test holds the two together.

export const differences = {
  words: 'messages on stderr and the text of --help are hutch’s own; only results are printed on stdout',
  'status of 2.0':
    "cgroup-tools 2.0 ends with 1, 2, 84, 255 or a crash instead of 129, 87, 91, 93 or 104; hutch's statuses are those of 3.2",
  'options of 3.2':
    'cgset, cgget, cgexec and cgclassify of cgroup-tools 2.0 do not know -R, -b, -m, -c; hutch knows them, as 3.2 does',
  'path out of the tree': 'libcgroup follows ".." in a path, even out of the hierarchy; hutch refuses it',
  'unknown owner':
    "for an unknown user or group, libcgroup's cgcreate creates nothing and ends with 0; hutch's ends with 129, and owners can be numbers",
  'tasks owner on v2':
    "libcgroup's -t and -s have no effect on v2, which has no file tasks; in hutch they apply to cgroup.procs and cgroup.threads",
  'every controller': 'the controller list "*" works only on v1 in libcgroup; in hutch it works on v2, too',
  'wrong assignment': "cgset ignores an invalid assignment and ends with 0; hutch's cgset ends with 129",
  'unknown controller':
    "cgset of 3.2 ignores an unknown controller and ends with 0; hutch's cgset ends with 84, as that of 2.0",
  'read-only file':
    "cgset of 3.2 ends with 0 even if a file cannot be written; hutch's cgset ends with 96, as that of 2.0",
  'line break': 'libcgroup cuts a value at a line break without a message; in hutch a line break is an error',
  'missing source': "libcgroup's cgset --copy-from ends with 0 if the group does not exist; hutch's ends with 82",
  'missing group':
    "cgget -g prints an empty listing and ends with 0 if the group does not exist; hutch's cgget ends with 96",
  'version listing': "cgget -c of 3.2 ends with 103 after a correct listing; hutch's cgget ends with 0",
  'joined later':
    'on v1, cgset with a v2 name creates the group in the hierarchy of that controller; cgexec and cgdelete of the group then include it',
  'v2 names on v1': 'cgset and cgget accept v2 names on v1; libcgroup does not',
  'failed removal':
    "libcgroup's cgdelete has already moved the processes if it then cannot remove a group; hutch's cgdelete moves nothing in this case",
  'several hierarchies':
    "libcgroup's cgdelete with several controllers removes the group in only one hierarchy and ends with 0; hutch's removes it in all",
  'root removal': 'cgdelete -r of the root group removes every group of the host; hutch refuses this',
  'old listing':
    'lscgroup of 3.2 prints "//" for the root group and before each path; hutch prints "/", as 2.0 does and the man page says',
  lssubsys:
    "libcgroup's lssubsys ends with 82 on hybrid and v1 hosts and lists nothing on v2; hutch's lists the controllers on every layout",
  'snapshot lists':
    "libcgroup's cgsnapshot fails without /etc/cgsnapshot_denylist.conf; hutch's treats a missing default list as empty",
  'read-only settings':
    "libcgroup's cgsnapshot prints some files that are not settings, and cgconfigparser then fails; hutch's leaves these files out",
  'snapshot owners':
    'cgsnapshot of 3.2 prints tuid and tgid, which cgconfigparser does not accept; hutch prints uid and gid, as 2.0 does',
  'perm anywhere':
    'in libcgroup, a perm section of cgconfig.conf must come first and have both parts. In hutch it can be anywhere and have one part, and ids can be numbers',
  'comment anywhere':
    'in libcgroup, a comment in cgconfig.conf must begin a line; in hutch it can also follow other text',
  'mounted already':
    "cgconfigparser of 3.2 fails if a hierarchy is already mounted at the given place; hutch's keeps the mount",
  'refused setting': "cgconfigparser of 2.0 ends with 95 or 96 for a refused setting; hutch's ends with 91, as in 3.2",
  scopes: 'hutch refuses systemd sections, cgcreate -c and cgexec -r; use hutch run for scopes',
  'translated memory':
    "libcgroup's cgxget and cgxset fail with 91 for memory files of the other cgroup version; hutch's translate them",
  'not translatable':
    "libcgroup's cgxget and cgxset end with 91 or 111 for a name without an equivalent, even with -i. hutch's end with 111, and -i ignores the name",
  'no number':
    "libcgroup's cgxset ends with 93 for a value that is not a number, and does not write it. hutch's writes it, the kernel refuses it, and the status is 96",
} as const

export type Difference = keyof typeof differences
