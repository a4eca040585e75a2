// SPDX-License-Identifier: Apache-2.0
// The table of the runtime's commands and options: those of runc, and those of crun that callers send. The parser, the help and the types of
// parsed command lines follow from it. Pure.

/** What an option's value is: `yes` has none, or a boolean behind `=`. */
export type FlagType =
  | 'yes'
  | 'text'
  /** Can be repeated. */
  | 'list'
  /** Can be repeated; whole numbers of at least 0. */
  | 'numbers'
  /** A whole number of at least 0. */
  | 'count'
  /** A whole number of 64 bits. */
  | 'integer'
  /** An integer that can have a unit of bytes, in powers of 1024. */
  | 'bytes'
  /** A duration in the form of Go, such as 1m30s. */
  | 'duration'

export interface OciFlag {
  type: FlagType
  short?: string
  /** The only accepted values. */
  words?: readonly string[]
  help: string
  /** True if the option is accepted without effect. The help says why. */
  idle?: true
}

export type OciFlags = { readonly [name: string]: OciFlag }

const bundle = { type: 'text', short: 'b', help: 'Directory of the bundle; by default the current directory.' } as const
const pidFile = { type: 'text', help: 'File to which the process id is written.' } as const
const consoleSocket = {
  type: 'text',
  help: 'Unix socket that receives the master end of the terminal.',
} as const
const pidfdSocket = { type: 'text', help: 'Unix socket that receives a pidfd of the process.' } as const
const detach = { type: 'yes', short: 'd', help: 'Do not wait for the process.' } as const
const preserveFds = {
  type: 'count',
  help: 'Number of further descriptors, from 3 on, that the process keeps.',
} as const
const noSubreaper = {
  type: 'yes',
  idle: true,
  help: 'No effect: hutch does not adopt processes of the container.',
} as const
const format = { type: 'text', short: 'f', words: ['table', 'json'], help: 'table (default) or json.' } as const

const creation = {
  bundle,
  'console-socket': consoleSocket,
  'pidfd-socket': pidfdSocket,
  'pid-file': pidFile,
  'no-pivot': { type: 'yes', help: 'Change the root without pivot_root(2), for a root on a ramdisk.' },
  'no-new-keyring': { type: 'yes', help: "Keep the caller's session keyring." },
  'preserve-fds': preserveFds,
} as const satisfies OciFlags

const criuImages = {
  'image-path': { type: 'text', help: 'Directory of the images of CRIU.' },
  'work-path': { type: 'text', help: 'Directory of the working files of CRIU.' },
  'tcp-established': { type: 'yes', help: 'Keep established TCP connections.' },
  'ext-unix-sk': { type: 'yes', help: 'Allow external Unix sockets.' },
  'shell-job': { type: 'yes', help: 'Allow jobs of a shell.' },
  'lazy-pages': { type: 'yes', help: 'Restore memory lazily by userfaultfd.' },
  'file-locks': { type: 'yes', help: 'Keep file locks.' },
  'manage-cgroups-mode': { type: 'text', help: 'How CRIU handles control groups: soft, full, strict or ignore.' },
  'empty-ns': { type: 'list', help: 'Namespace whose content is not kept.' },
  'auto-dedup': { type: 'yes', help: 'Remove duplicate pages of memory images.' },
} as const satisfies OciFlags

/** Options before the command. */
export const globalFlags = {
  debug: { type: 'yes', help: 'Write debug messages to the log, too.' },
  log: { type: 'text', help: 'File to which messages are appended; by default they go to stderr only.' },
  'log-format': { type: 'text', words: ['text', 'json'], help: 'text (default) or json.' },
  root: { type: 'text', help: 'Directory of the state of all containers; by default below /run.' },
  criu: { type: 'text', idle: true, help: 'No effect: hutch does not use CRIU.' },
  'systemd-cgroup': { type: 'yes', help: 'Create groups by systemd; cgroupsPath is then SLICE:PREFIX:NAME.' },
  'cgroup-manager': {
    type: 'text',
    words: ['cgroupfs', 'systemd', 'disabled'],
    help: 'What creates groups: cgroupfs (default), systemd, or disabled for no groups.',
  },
  rootless: {
    type: 'text',
    words: ['true', 'false', 'auto'],
    help: 'Ignore refused control groups: true, false, or auto (default) for users without root.',
  },
} as const satisfies OciFlags

/** A command: its options, the operands behind its id, and its help. */
interface OciCommand {
  summary: string
  flags: OciFlags
  /** Operands, as the usage shows them. The first is ID for all commands that have a container. */
  operands: '' | 'ID' | 'ID [SIGNAL]' | 'ID [PS-OPTION…]' | 'ID [COMMAND [ARG…]]'
}

export const ociCommands = {
  create: { summary: 'Create a container from a bundle', operands: 'ID', flags: creation },
  start: { summary: 'Start the command of a created container', operands: 'ID', flags: {} },
  run: {
    summary: 'Create a container, start it and wait for its end',
    operands: 'ID',
    flags: {
      ...creation,
      detach,
      keep: { type: 'yes', help: 'Do not delete the container at its end.' },
      'no-subreaper': noSubreaper,
    },
  },
  exec: {
    summary: 'Run a further command in a container',
    operands: 'ID [COMMAND [ARG…]]',
    flags: {
      'console-socket': consoleSocket,
      'pidfd-socket': pidfdSocket,
      cwd: { type: 'text', help: 'Working directory in the container.' },
      env: { type: 'list', short: 'e', help: 'Environment variable, NAME=VALUE.' },
      tty: { type: 'yes', short: 't', help: 'Give the command a terminal.' },
      user: { type: 'text', short: 'u', help: 'User of the command, UID[:GID].' },
      'additional-gids': { type: 'numbers', short: 'g', help: 'Further group id of the command.' },
      process: { type: 'text', short: 'p', help: 'File with the process as in config.json.' },
      detach,
      'pid-file': pidFile,
      'process-label': { type: 'text', help: 'SELinux label of the command.' },
      apparmor: { type: 'text', help: 'AppArmor profile of the command.' },
      'no-new-privs': { type: 'yes', help: 'Set no_new_privs for the command.' },
      cap: { type: 'list', short: 'c', help: 'Further capability of the command.' },
      'preserve-fds': preserveFds,
      cgroup: { type: 'list', help: 'Group below that of the container, [CONTROLLER:]PATH.' },
      'ignore-paused': { type: 'yes', help: 'Run the command even if the container is paused.' },
    },
  },
  kill: {
    summary: "Send a signal to a container's first process; SIGTERM by default",
    operands: 'ID [SIGNAL]',
    flags: { all: { type: 'yes', short: 'a', help: 'Send the signal to all processes of the container.' } },
  },
  delete: {
    summary: 'Delete a stopped container',
    operands: 'ID',
    flags: { force: { type: 'yes', short: 'f', help: 'Kill the container first. No failure if it does not exist.' } },
  },
  state: { summary: 'Print the state of a container', operands: 'ID', flags: {} },
  list: {
    summary: 'List containers',
    operands: '',
    flags: { format, quiet: { type: 'yes', short: 'q', help: 'Print only the ids.' } },
  },
  ps: { summary: 'List the processes of a container', operands: 'ID [PS-OPTION…]', flags: { format } },
  pause: { summary: 'Freeze all processes of a container', operands: 'ID', flags: {} },
  resume: { summary: 'Continue a paused container', operands: 'ID', flags: {} },
  events: {
    summary: 'Print what a container uses, and when it lacked memory',
    operands: 'ID',
    flags: {
      interval: { type: 'duration', help: 'Time between two prints; 5s by default.' },
      stats: { type: 'yes', help: 'Print the figures once.' },
    },
  },
  update: {
    summary: 'Change the limits of a container',
    operands: 'ID',
    flags: {
      resources: {
        type: 'text',
        short: 'r',
        help: 'File with the resources as JSON; - is stdin. Other options are ignored.',
      },
      'blkio-weight': { type: 'integer', help: 'Weight of input and output, from 10 to 1000.' },
      'cpu-period': { type: 'integer', help: 'Period of the CPU quota in microseconds.' },
      'cpu-quota': { type: 'integer', help: 'CPU time in each period in microseconds.' },
      'cpu-burst': { type: 'integer', help: 'Unused CPU time that can be saved, in microseconds.' },
      'cpu-share': { type: 'integer', help: 'Relative weight of CPU time; 1024 is the default of v1.' },
      'cpu-rt-period': { type: 'integer', help: 'Period of real-time tasks in microseconds.' },
      'cpu-rt-runtime': { type: 'integer', help: 'Time of real-time tasks in each period in microseconds.' },
      'cpu-idle': { type: 'integer', help: '1 for tasks that get only idle CPU time.' },
      'cpuset-cpus': { type: 'text', help: 'CPUs, such as 0-2,5.' },
      'cpuset-mems': { type: 'text', help: 'Memory nodes, such as 0-1.' },
      memory: { type: 'bytes', help: 'Memory limit in bytes; -1 for no limit.' },
      'memory-reservation': { type: 'bytes', help: 'Memory that is protected, in bytes.' },
      'memory-swap': { type: 'bytes', help: 'Limit of memory and swap together in bytes; -1 for no limit.' },
      'kernel-memory': { type: 'bytes', idle: true, help: 'No effect: the kernel no longer has this limit.' },
      'kernel-memory-tcp': { type: 'bytes', idle: true, help: 'No effect: the kernel no longer has this limit.' },
      'pids-limit': { type: 'integer', help: 'Maximum number of tasks; -1 for no limit.' },
      'l3-cache-schema': { type: 'text', help: 'Schema of Intel RDT for the L3 cache.' },
      'mem-bw-schema': { type: 'text', help: 'Schema of Intel RDT for memory bandwidth.' },
    },
  },
  spec: {
    summary: 'Write a config.json to begin with',
    operands: '',
    flags: { bundle, rootless: { type: 'yes', help: 'For a container of a user without root.' } },
  },
  features: { summary: 'Print what this runtime supports', operands: '', flags: {} },
  checkpoint: {
    summary: 'Not supported: needs CRIU',
    operands: 'ID',
    flags: {
      ...criuImages,
      'parent-path': { type: 'text', help: 'Directory of earlier images.' },
      'leave-running': { type: 'yes', help: 'Let the container run on.' },
      'pre-dump': { type: 'yes', help: 'Store memory only, and let the container run on.' },
      'status-fd': { type: 'integer', help: 'Descriptor for the status of lazy pages.' },
      'page-server': { type: 'text', help: 'ADDRESS:PORT of the page server.' },
    },
  },
  restore: {
    summary: 'Not supported: needs CRIU',
    operands: 'ID',
    flags: {
      ...criuImages,
      bundle,
      'console-socket': consoleSocket,
      'pid-file': pidFile,
      detach,
      'no-subreaper': noSubreaper,
      'no-pivot': creation['no-pivot'],
      'no-new-keyring': creation['no-new-keyring'],
      'preserve-fds': preserveFds,
      'tcp-close': { type: 'yes', help: 'Close established TCP connections.' },
      'lsm-profile': { type: 'text', help: 'Security profile, TYPE:NAME.' },
      'lsm-mount-context': { type: 'text', help: 'Security context of mounts.' },
    },
  },
} as const satisfies { readonly [name: string]: OciCommand }

export type OciCommandName = keyof typeof ociCommands
