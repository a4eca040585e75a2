// SPDX-License-Identifier: Apache-2.0
// Lists the paths below /proc, /sys and /dev that a job with its own root may not use or write, each with the reason.
// The lists are those of Docker and containerd. Pure.

/** Files and directories below /proc that are hidden from a job. */
export const maskedProc: readonly [path: string, reason: string][] = [
  ['acpi', 'controls hardware of the host'],
  ['asound', "shows the host's sound devices and what they play"],
  ['interrupts', 'shows interrupts, and through them the keystrokes of other users'],
  ['kcore', 'all memory of the machine'],
  ['keys', 'the keys of all users: the keyring has no namespace'],
  ['latency_stats', 'shows where in the kernel other processes wait'],
  ['sched_debug', "the host's processes by name"],
  ['scsi', 'accepts commands that remove disks'],
  ['timer_list', "the host's processes by their timers, and kernel addresses"],
  ['timer_stats', 'the same on older kernels'],
]

/** Files and directories below /sys that are hidden from a job. */
export const maskedSys: readonly [path: string, reason: string][] = [
  ['devices/virtual/powercap', 'power readings precise enough to recover keys (CVE-2020-8694)'],
  [
    'devices/system/cpu/cpu*/thermal_throttle',
    'shows when a CPU throttled, and so what others compute (GHSA-6fw5-f8r9-fgfm)',
  ],
  ['firmware', "the firmware's tables and variables"],
]

/** Paths below /proc that are read-only in a job, because writes would affect the whole machine. */
export const readOnlyProc: readonly [path: string, reason: string][] = [
  ['bus', 'configures PCI devices'],
  ['fs', "configures the host's file systems"],
  ['irq', 'moves interrupts between CPUs'],
  ['sys', 'most settings have no namespace'],
  ['sysrq-trigger', 'restarts or crashes the machine'],
]

/** Device files of a minimal /dev. They are bind-mounted from the host, because a user namespace cannot create device nodes. */
export const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty'] as const

/** Symbolic links of a minimal /dev. */
export const deviceLinks: readonly [name: string, to: string][] = [
  ['ptmx', 'pts/ptmx'],
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
]

const below = (directory: string, list: typeof maskedProc) => list.map(([path]) => ({ path: `${directory}/${path}` }))

/** Paths that are hidden by default from a job with its own root. */
export const defaultMaskedPaths: readonly { path: string }[] = [
  ...below('/proc', maskedProc),
  ...below('/sys', maskedSys),
]

/** Paths that are read-only by default. */
export const defaultReadonlyPaths: readonly { path: string }[] = below('/proc', readOnlyProc)

/** Paths that `unmask` can leave as the kernel shows them. */
export const coveredPaths: readonly string[] = [
  ...below('/proc', maskedProc),
  ...defaultReadonlyPaths,
  ...below('/sys', maskedSys),
].map(({ path }) => path)
