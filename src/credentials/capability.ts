// SPDX-License-Identifier: Apache-2.0
// Capabilities by name and number, with the first kernel version of each: capabilities(7). Pure.
import { nearest } from '../text/nearest.ts'

type Version = readonly [number, number]
const first: Version = [2, 6]

/** Capabilities in the kernel's order, so that the index is the number. */
const table: readonly (readonly [name: string, since: Version])[] = [
  ['CHOWN', first],
  ['DAC_OVERRIDE', first],
  ['DAC_READ_SEARCH', first],
  ['FOWNER', first],
  ['FSETID', first],
  ['KILL', first],
  ['SETGID', first],
  ['SETUID', first],
  ['SETPCAP', first],
  ['LINUX_IMMUTABLE', first],
  ['NET_BIND_SERVICE', first],
  ['NET_BROADCAST', first],
  ['NET_ADMIN', first],
  ['NET_RAW', first],
  ['IPC_LOCK', first],
  ['IPC_OWNER', first],
  ['SYS_MODULE', first],
  ['SYS_RAWIO', first],
  ['SYS_CHROOT', first],
  ['SYS_PTRACE', first],
  ['SYS_PACCT', first],
  ['SYS_ADMIN', first],
  ['SYS_BOOT', first],
  ['SYS_NICE', first],
  ['SYS_RESOURCE', first],
  ['SYS_TIME', first],
  ['SYS_TTY_CONFIG', first],
  ['MKNOD', first],
  ['LEASE', first],
  ['AUDIT_WRITE', first],
  ['AUDIT_CONTROL', first],
  ['SETFCAP', first],
  ['MAC_OVERRIDE', first],
  ['MAC_ADMIN', first],
  ['SYSLOG', [2, 37]],
  ['WAKE_ALARM', [3, 0]],
  ['BLOCK_SUSPEND', [3, 5]],
  ['AUDIT_READ', [3, 16]],
  ['PERFMON', [5, 8]],
  ['BPF', [5, 8]],
  ['CHECKPOINT_RESTORE', [5, 9]],
]

const names = table.map(([name]) => name)

/** Numbers of capabilities that plans and seccomp profiles use. */
export const capabilityNumbers = {
  DAC_READ_SEARCH: 2,
  SETGID: 6,
  SETUID: 7,
  SETPCAP: 8,
  SETFCAP: 31,
  NET_ADMIN: 12,
  SYS_MODULE: 16,
  SYS_RAWIO: 17,
  SYS_CHROOT: 18,
  SYS_PACCT: 20,
  SYS_ADMIN: 21,
  SYS_BOOT: 22,
  SYS_NICE: 23,
  SYS_TIME: 25,
  SYS_TTY_CONFIG: 26,
  SYSLOG: 34,
  PERFMON: 38,
  BPF: 39,
} as const

/**
 * Capabilities that root keeps in its own root file system: enough for files of several owners, servers and package managers. Other
 * capabilities would reach beyond the container: MKNOD creates devices, NET_RAW raw packets, SYS_ADMIN mounts. The list is Podman's.
 */
export const containedCapabilities: readonly number[] = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
].map((name) => names.indexOf(name))

/** A capability that an option names: its number, or `ALL`. */
export type CapabilityWord = number | 'ALL'

/** Parses the name of a capability: `NET_RAW`, `cap_net_raw` or `ALL`, in upper or lower case, with or without CAP_. */
export function parseCapability(value: unknown): CapabilityWord | undefined {
  const name = typeof value === 'string' ? value.toUpperCase().replace(/^CAP_/, '') : ''
  if (name === 'ALL') return 'ALL'
  const number = names.indexOf(name)
  return number < 0 ? undefined : number
}

/** Returns the known capability whose name is most similar to a mistyped one. */
export function nearestCapability(value: string): string | undefined {
  return nearest(value.toUpperCase().replace(/^CAP_/, ''), [...names, 'ALL'])
}

/** Returns the name of a capability with the prefix CAP_, as in the kernel's documentation. */
export function capabilityName(number: number): string {
  return `CAP_${names[number] ?? number}`
}

/** Returns the first kernel version that has a capability, if this kernel is older; otherwise undefined. */
export function missingSince(number: number, kernel: Version): string | undefined {
  const [major, minor] = table[number]![1]
  return kernel[0] > major || (kernel[0] === major && kernel[1] >= minor) ? undefined : `${major}.${minor}`
}

/** Returns all capabilities that this kernel has. */
export function capabilitiesOf(kernel: Version): number[] {
  return names.map((_, number) => number).filter((number) => missingSince(number, kernel) === undefined)
}

/** Computes a set of capabilities by Docker's rule: first ALL in either list applies, then dropped capabilities, then added ones. */
export function chooseCapabilities(
  base: readonly number[],
  all: readonly number[],
  add: readonly CapabilityWord[],
  drop: readonly CapabilityWord[],
): number[] {
  const start = drop.includes('ALL') ? [] : add.includes('ALL') ? all : base
  const named = add.filter((word): word is number => word !== 'ALL')
  return [...new Set([...start.filter((number) => !drop.includes(number)), ...named])].sort((a, b) => a - b)
}

/** Returns the capabilities as a bit mask in the kernel's format. A JavaScript number is exact for up to 53 capabilities. */
export function capabilityMask(numbers: readonly number[]): number {
  return numbers.reduce((mask, number) => mask + 2 ** number, 0)
}

/** Returns the numbers of the capabilities in a bit mask of /proc/PID/status. */
export function parseCapabilityMask(hexadecimal: string): number[] {
  const mask = /^[0-9a-f]{1,16}$/.test(hexadecimal) ? BigInt(`0x${hexadecimal}`) : 0n
  return names.map((_, number) => number).filter((number) => (mask >> BigInt(number)) & 1n)
}

/** Returns the capabilities that a file gives at exec (`struct vfs_cap_data`, its text as latin1); none without the effective bit. */
export function parseFileCapabilities(attribute: string): number[] {
  const bytes = Buffer.from(attribute, 'latin1')
  if (bytes.length < 12 || (bytes[0]! & 1) === 0) return []
  const high = bytes.length >= 20 ? bytes.readUInt32LE(12) : 0
  const mask = (BigInt(high) << 32n) | BigInt(bytes.readUInt32LE(4))
  return parseCapabilityMask(mask.toString(16))
}

/** Returns true if a bit mask contains a capability. Must be fast, because every launch calls it. */
export function hasCapability(hexadecimal: string, number: number): boolean {
  const digit = hexadecimal.at(-1 - (number >> 2)) ?? '0'
  return ((Number.parseInt(digit, 16) >> (number & 3)) & 1) === 1
}
