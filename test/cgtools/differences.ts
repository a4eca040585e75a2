// SPDX-License-Identifier: Apache-2.0
// Where the drop-ins are not like libcgroup's tools, and why. docs/cgroup-tools.md has the same list, a test holds the two together.

export const differences = {
  words: 'messages on stderr and the text of --help are hutch’s own; only results are printed on stdout',
  'status of 2.0': '2.0 ends with 1, 2, 84, 255 or a crash instead of 129, 87, 91, 93 or 104; here as in 3.2',
  'options of 3.2': '2.0 does not know -R, -b, -m, -c of cgset, cgget, cgexec and cgclassify',
  'path out of the tree': 'libcgroup follows ".." in a path, even out of the hierarchy; here it is refused',
  'unknown owner':
    'for an unknown user or group, cgcreate creates nothing and ends with 0; here with 129, and owners can be numbers',
  'tasks owner on v2':
    '-t and -s have no effect on v2, which has no file tasks; here they apply to cgroup.procs and cgroup.threads',
  'every controller': '"*" works only on v1; here also on v2',
  'wrong assignment': 'cgset ignores an invalid assignment and ends with 0; here it ends with 129',
  'unknown controller': 'cgset of 3.2 ignores an unknown controller and ends with 0; here it ends with 84, as 2.0 does',
  'read-only file': 'cgset of 3.2 ends with 0 even if a file cannot be written; here it ends with 96, as 2.0 does',
  'line break': 'libcgroup cuts a value at a line break without a message; here it is an error',
  'missing source': 'cgset --copy-from ends with 0 if the group does not exist; here with 82',
  'missing group': 'cgget -g prints an empty listing and ends with 0 if the group does not exist; here it ends with 96',
  'version listing': 'cgget -c of 3.2 ends with 103 after a correct listing; here with 0',
  'joined later':
    'on v1, cgset with a v2 name creates the group in the hierarchy of that controller; cgexec and cgdelete of the group then include it',
  'v2 names on v1': 'cgset and cgget accept v2 names on v1; libcgroup does not',
  'failed removal': 'if cgdelete cannot remove a group, it has already moved the processes; here nothing is moved',
  'several hierarchies':
    'cgdelete with several controllers removes the group in only one hierarchy and ends with 0; here in all',
  'root removal': 'cgdelete -r of the root group removes every group of the host; here it is refused',
  'old listing':
    'lscgroup of 3.2 prints "//" for the root group and before each path; here "/", as in 2.0 and the man page',
  lssubsys: 'lssubsys ends with 82 on hybrid and v1 hosts and lists nothing on v2; here it lists both',
  'snapshot lists':
    'cgsnapshot fails without /etc/cgsnapshot_denylist.conf; here a missing default list counts as empty',
  'read-only settings':
    'cgsnapshot prints some files that are not settings, and cgconfigparser then fails; here they are left out',
  'snapshot owners':
    'cgsnapshot of 3.2 prints tuid and tgid, which cgconfigparser does not accept; here uid and gid, as in 2.0',
  'perm anywhere':
    'a perm section must come first and have both parts; here it can be anywhere and have one part, and ids can be numbers',
  'comment anywhere': 'a comment in cgconfig.conf must begin a line; here it can also follow other text',
  'mounted already': '3.2 fails if a hierarchy is already mounted at the given place; here the mount is kept',
  'refused setting': 'cgconfigparser of 2.0 ends with 95 or 96 for a refused setting; here with 91, as in 3.2',
  scopes: 'systemd sections, cgcreate -c and cgexec -r are refused; use hutch run for scopes',
  'translated memory': 'cgxget and cgxset fail with 91 for memory files of the other version; here they are translated',
  'not translatable':
    'a name without an equivalent ends the tool with 91 or 111, even with -i; here with 111, and -i ignores it',
  'no number':
    'cgxset ends with 93 for a value that is not a number, without writing it; here it is written, and the kernel refuses it: 96',
} as const

export type Difference = keyof typeof differences
