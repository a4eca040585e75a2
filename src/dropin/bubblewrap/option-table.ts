// SPDX-License-Identifier: Apache-2.0
// The options of bubblewrap(1) 0.13, and those that only hutch has. Pure.

/** An option of bwrap: the names of its values, and its help text. */
type BwrapOption = readonly [values: readonly string[], help: string]

export const bwrapOptions = {
  '--help': [[], 'print this'],
  '--version': [[], 'print the version'],
  '--args': [['FD'], 'read more options from FD, each ended by a NUL'],
  '--argv0': [['VALUE'], 'argv[0] of the program'],
  '--level-prefix': [[], 'begin lines of diagnostics with a level, such as <3>'],
  '--unshare-all': [[], 'create all namespaces listed below; user and cgroup only if possible'],
  '--share-net': [[], 'with --unshare-all: keep the network namespace'],
  '--unshare-user': [[], 'a user namespace; implied if needed'],
  '--unshare-user-try': [[], 'the same, if possible'],
  '--unshare-ipc': [[], 'an ipc namespace'],
  '--unshare-pid': [[], 'a pid namespace'],
  '--unshare-net': [[], 'a network namespace, its loopback up'],
  '--unshare-uts': [[], 'a uts namespace'],
  '--unshare-cgroup': [[], 'a cgroup namespace'],
  '--unshare-cgroup-try': [[], 'the same, if possible'],
  '--userns': [['FD'], 'enter this user namespace instead of creating one'],
  '--userns2': [['FD'], 'enter this user namespace after the set-up'],
  '--disable-userns': [[], 'no further user namespaces inside'],
  '--assert-userns-disabled': [[], 'fail if one could be created inside'],
  '--pidns': [['FD'], 'enter this pid namespace'],
  '--uid': [['UID'], 'user id inside'],
  '--gid': [['GID'], 'group id inside'],
  '--hostname': [['NAME'], 'host name inside; with --unshare-uts'],
  '--chdir': [['DIR'], 'working directory inside'],
  '--clearenv': [[], 'unset all variables except PWD'],
  '--setenv': [['VAR', 'VALUE'], 'set a variable'],
  '--unsetenv': [['VAR'], 'unset a variable'],
  '--lock-file': [['DEST'], 'hold a lock on the file DEST while the sandbox runs'],
  '--sync-fd': [['FD'], 'hold FD open while the sandbox runs'],
  '--bind': [['SRC', 'DEST'], 'mount SRC on DEST'],
  '--bind-try': [['SRC', 'DEST'], 'the same, if SRC is there'],
  '--dev-bind': [['SRC', 'DEST'], 'mount SRC on DEST, devices included'],
  '--dev-bind-try': [['SRC', 'DEST'], 'the same, if SRC is there'],
  '--ro-bind': [['SRC', 'DEST'], 'mount SRC on DEST, read-only'],
  '--ro-bind-try': [['SRC', 'DEST'], 'the same, if SRC is there'],
  '--bind-fd': [['FD', 'DEST'], 'mount the directory or file behind FD on DEST'],
  '--ro-bind-fd': [['FD', 'DEST'], 'the same, read-only'],
  '--remount-ro': [['DEST'], 'make the mount at DEST read-only, but not the mounts below it'],
  '--overlay-src': [['SRC'], 'a layer of the overlay that follows; the last one is on top'],
  '--overlay': [['RWSRC', 'WORKDIR', 'DEST'], 'mount an overlay on DEST that is written to RWSRC'],
  '--tmp-overlay': [['DEST'], 'mount an overlay on DEST whose changes are dropped'],
  '--ro-overlay': [['DEST'], 'mount an overlay on DEST, read-only'],
  '--exec-label': [['LABEL'], 'not here: hutch sets no SELinux context'],
  '--file-label': [['LABEL'], 'not here: hutch sets no SELinux context'],
  '--proc': [['DEST'], 'mount /proc on DEST'],
  '--dev': [['DEST'], 'mount a small /dev on DEST'],
  '--tmpfs': [['DEST'], 'mount a tmpfs on DEST'],
  '--mqueue': [['DEST'], 'mount message queues on DEST'],
  '--dir': [['DEST'], 'make the directory DEST'],
  '--file': [['FD', 'DEST'], 'copy from FD to the file DEST'],
  '--bind-data': [['FD', 'DEST'], 'copy from FD to a file that is mounted on DEST'],
  '--ro-bind-data': [['FD', 'DEST'], 'the same, read-only'],
  '--symlink': [['SRC', 'DEST'], 'create a symbolic link at DEST to SRC'],
  '--seccomp': [['FD'], 'the system call filter in FD'],
  '--add-seccomp-fd': [['FD'], 'one filter more'],
  '--block-fd': [['FD'], 'wait for a byte from FD before the program starts'],
  '--userns-block-fd': [['FD'], 'wait for a byte from FD while the caller maps the ids'],
  '--info-fd': [['FD'], 'write the process and its namespaces to FD, as JSON'],
  '--json-status-fd': [['FD'], 'the same as one line of JSON, and a second line with the exit status'],
  '--new-session': [[], 'create a new session, which has no terminal'],
  '--die-with-parent': [[], 'end with this process'],
  '--as-pid-1': [[], 'the program is the first of the pid namespace'],
  '--cap-add': [['CAP'], 'keep a capability, or ALL'],
  '--cap-drop': [['CAP'], 'drop a capability, or ALL'],
  '--perms': [['OCTAL'], 'mode for the next option'],
  '--size': [['BYTES'], 'size of the next --tmpfs'],
  '--chmod': [['OCTAL', 'PATH'], 'change the mode of PATH'],
  '--not-a-security-boundary': [[], 'accepted without effect: a failed step is always an error'],
  '--hutch-memory': [['SIZE'], 'limit the memory of the sandbox, such as 512M'],
  '--hutch-pids': [['N'], 'limit the number of its tasks'],
  '--hutch-cpus': [['N'], 'limit its CPU time, such as 0.5'],
  '--hutch-timeout': [['TIME'], 'stop the sandbox after this time, such as 30s'],
} as const satisfies { [name: string]: BwrapOption }

export type BwrapOptionName = keyof typeof bwrapOptions

/** Formats the table of options as help text. */
export function formatBwrapOptions(): string {
  const rows = Object.entries(bwrapOptions).map(
    ([name, [values, help]]) => [[name, ...values].join(' '), help] as const,
  )
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, help]) => `  ${left.padEnd(width)}  ${help}\n`).join('')
}
