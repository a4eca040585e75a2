// SPDX-License-Identifier: Apache-2.0
// Compiles the devices that a job may use: to lines for v1's devices.allow, and to a BPF program for v2, which has no such file. Pure.
// cgroup-v1/devices.rst; cgroup-v2.rst, "Device controller"; struct bpf_cgroup_dev_ctx in linux/bpf.h.

/** A rule for devices. Its access consists of r (read), w (write) and m (create a node); '*' stands for every number. */
export interface DeviceRule {
  type: 'c' | 'b'
  major: number | '*'
  minor: number | '*'
  access: string
}

const rule = (type: 'c' | 'b', major: number | '*', minor: number | '*', access = 'rwm'): DeviceRule => ({
  type,
  major,
  minor,
  access,
})

/** A rule of a list in which later rules change earlier ones. */
export type OrderedDeviceRule = DeviceRule & { allow: boolean }

/** Devices that every job may use, as in Docker. Creating a node of any device is allowed, because opening the node still needs a rule. */
export const defaultDevices: readonly DeviceRule[] = [
  rule('c', '*', '*', 'm'),
  rule('b', '*', '*', 'm'),
  rule('c', 1, 3), // null
  rule('c', 1, 5), // zero
  rule('c', 1, 7), // full
  rule('c', 1, 8), // random
  rule('c', 1, 9), // urandom
  rule('c', 5, 0), // tty
  rule('c', 5, 1), // console
  rule('c', 5, 2), // ptmx
  rule('c', 136, '*'), // pts
]

/** Formats a rule as v1's devices.allow accepts it. */
export function formatDeviceRule({ type, major, minor, access }: DeviceRule): string {
  return `${type} ${major}:${minor} ${access}`
}

const accessBits: { [letter: string]: number } = { m: 1, r: 2, w: 4 }
const allAccess = 7
const typeNumbers = { b: 1, c: 2 } as const

// BPF registers: r1 holds the context at the start, r0 the return value
const [r0, r1, typeRegister, accessRegister, majorRegister, minorRegister] = [0, 1, 2, 3, 4, 5] as const

/** Returns a BPF instruction as two 32-bit words. The first contains opcode, registers and jump offset, the second the constant. */
function instruction(opcode: number, to: number, from: number, offset: number, constant: number): [number, number] {
  return [(opcode | (to << 8) | (from << 12) | ((offset & 0xffff) << 16)) >>> 0, constant >>> 0]
}

const load = (to: number, offset: number) => instruction(0x61, to, r1, offset, 0)
const copy = (to: number, from: number) => instruction(0xbf, to, from, 0, 0)
const mask = (to: number, bits: number) => instruction(0x57, to, 0, 0, bits)
const shiftRight = (to: number, bits: number) => instruction(0x77, to, 0, 0, bits)
const jumpUnless = (register: number, value: number, skip: number) => instruction(0x55, register, 0, skip, value)
const jumpIfZero = (register: number, skip: number) => instruction(0x15, register, 0, skip, 0)
const answer = (value: number) => [instruction(0xb7, r0, 0, 0, value), instruction(0x95, 0, 0, 0, 0)]

/**
 * Returns a BPF program of type BPF_PROG_TYPE_CGROUP_DEVICE, two words for each instruction. The first rule that
 * applies decides. A rule that allows applies if it covers the whole access, as on v1. A rule that denies applies if it
 * has a part of the access. Without a rule that applies, the access is denied.
 */
export function compileDeviceFilter(rules: readonly (DeviceRule & { allow?: boolean })[]): number[] {
  const program = [
    load(accessRegister, 0), // in this word, the upper half is the access, the lower half the device type
    copy(typeRegister, accessRegister),
    mask(typeRegister, 0xffff),
    shiftRight(accessRegister, 16),
    load(majorRegister, 4),
    load(minorRegister, 8),
  ]
  for (const { type, major, minor, access, allow = true } of rules) {
    const named = [...access].reduce((bits, letter) => bits | accessBits[letter]!, 0)
    // conditions of a rule: a register that must have a value. If it differs, the rule is skipped.
    const checks: [number, number][] = [[typeRegister, typeNumbers[type]]]
    if (major !== '*') checks.push([majorRegister, major])
    if (minor !== '*') checks.push([minorRegister, minor])
    // the bits of the access that the rule does not allow, or that it denies
    const bits = named === allAccess ? [] : [copy(r0, accessRegister), mask(r0, allow ? allAccess & ~named : named)]
    const end = answer(Number(allow))
    const length = bits.length + Math.min(bits.length, 1) + checks.length + end.length
    let at = bits.length
    program.push(...bits)
    if (bits.length > 0) program.push(allow ? jumpUnless(r0, 0, length - ++at) : jumpIfZero(r0, length - ++at))
    for (const [register, value] of checks) program.push(jumpUnless(register, value, length - ++at))
    program.push(...end)
  }
  return [...program, ...answer(0)].flat()
}
