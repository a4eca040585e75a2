// SPDX-License-Identifier: Apache-2.0
// Where the drop-ins are not like libcgroup's tools, and why. docs/cgroup-tools.md has the same list, a test holds the two together.

export const differences = {
  words: 'what goes to stderr, and the text of --help, are hutch’s own; nothing but results goes to stdout',
  'status of 2.0': '2.0 ends with 1, 2, 84, 255 or a crash where 3.2 says 129, 87, 91, 93 or 104: 3.2 is followed',
  'options of 3.2': '2.0 does not know -R, -b, -m, -c of cgset, cgget, cgexec and cgclassify',
  'path out of the tree': '".." in a path is followed by libcgroup, out of the hierarchy too; here it is refused',
  'unknown owner':
    'cgcreate makes nothing for an unknown user or group and ends with 0; here with 129, and numbers are owners, too',
  'tasks owner on v2':
    '-t and -s do nothing on v2, where no file is called tasks; here they are for cgroup.procs and cgroup.threads',
  'every controller': '"*" works on v1 alone; here on v2, too',
  'wrong assignment': 'cgset passes over an assignment that it does not understand and ends with 0; here with 129',
  'unknown controller': 'cgset of 3.2 passes over an unknown controller and ends with 0; here with 84, as 2.0',
  'read-only file': 'cgset of 3.2 writes to files that cannot be written and ends with 0; here with 96, as 2.0',
  'line break': 'a line break in a value is cut off silently; here it is refused',
  'missing source': 'cgset --copy-from a group that is missing ends with 0; here with 82',
  'missing group': 'cgget -g of a group that is missing prints an empty listing and ends with 0; here it ends with 96',
  'version listing': 'cgget -c of 3.2 ends with 103 after a good listing; here with 0',
  'joined later':
    'cgset of a v2 name on v1 makes the group in the hierarchy of that controller; it follows the group in cgexec and cgdelete',
  'v2 names on v1': 'cgset and cgget take v2 names on v1, where libcgroup knows no such file',
  'failed removal': 'cgdelete that cannot remove a group moves its processes away all the same; here nothing is moved',
  'several hierarchies':
    'cgdelete of several controllers removes the group in one hierarchy, and ends with 0; here it removes all',
  'root removal': 'cgdelete -r of the root group removes every group of the host; here it is refused',
  'old listing':
    'lscgroup of 3.2 writes "//" for the root group and before each path; here "/", as 2.0 and the man page',
  lssubsys: 'lssubsys ends with 82 on hybrid and v1 hosts and lists nothing on v2; here it lists both',
  'snapshot lists':
    'cgsnapshot fails without /etc/cgsnapshot_denylist.conf; here a missing default list is an empty one',
  'read-only settings':
    'cgsnapshot lists some files that are not settings, and cgconfigparser then fails on them; here they are left out',
  'snapshot owners':
    'cgsnapshot of 3.2 writes tuid and tgid, which cgconfigparser does not take; here uid and gid, as 2.0',
  'perm anywhere':
    'a perm section must come first and have both parts; here it may stand anywhere, with one part, and ids may be numbers',
  'comment anywhere': 'a comment in cgconfig.conf must begin a line; here it may follow something',
  'mounted already': 'a mount line for what is mounted there already fails in 3.2; here it is left as it is',
  'refused setting': 'cgconfigparser of 2.0 ends with 95 or 96 where 3.2 ends with 91: 3.2 is followed',
  scopes: 'systemd sections, cgcreate -c and cgexec -r are refused: hutch run makes scopes',
  'translated memory': 'cgxget and cgxset fail with 91 for memory files of the other version; here they are translated',
  'not translatable':
    'what cannot be translated ends with 91 or 111, also with -i; here with 111, and with -i it is passed over',
  'no number': 'cgxset ends with 93 for a value that is not a number, without writing it; here the kernel decides: 96',
} as const

export type Difference = keyof typeof differences
