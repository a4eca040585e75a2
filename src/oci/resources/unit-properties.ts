// SPDX-License-Identifier: Apache-2.0
// Converts linux.resources and annotations to properties of a systemd unit: systemd.resource-control(5). systemd writes the files
// of its properties again when it reloads its units, so it must know them. Pure.
import { containerWeight } from '../../cgroup/v1/translate.ts'
import { type DeviceRule, formatDeviceRule } from '../../devices/device-filter.ts'
import type { DbusValue } from '../../systemd/marshal.ts'
import { parseSize } from '../../text/units.ts'
import type { LinuxResources } from './linux-resources.ts'
import { swapOf } from './resource-tables.ts'
import { invalid, parseInteger, parseUnsigned } from './resource-values.ts'

/** A property: its name, and its value as a D-Bus variant. */
export type UnitProperty = [name: string, variant: [signature: string, value: DbusValue]]

const infinity = 2n ** 64n - 1n

/** Quota is rounded up to this many microseconds in a second: systemd drops smaller parts. */
const quotaStep = 10_000n

const limitOf = (value: bigint): bigint => (value < 0n ? infinity : value)
const number = (name: string, value: bigint): UnitProperty => [name, ['t', value]]

/** Returns the properties that limit resources. @throws OPTION_INVALID */
export function limitProperties({ memory = {}, cpu = {}, pids = {}, unified = {} }: LinuxResources): UnitProperty[] {
  const properties: UnitProperty[] = []
  const { limit, swap } = swapOf(memory)
  const reservation = parseInteger(memory.reservation, 'memory.reservation')
  if (limit !== 0n) properties.push(number('MemoryMax', limitOf(limit)))
  if (swap !== 0n) properties.push(number('MemorySwapMax', swap < 0n ? infinity : swap - limit))
  if (reservation !== 0n) properties.push(number('MemoryLow', limitOf(reservation)))
  const shares = parseUnsigned(cpu.shares, 'cpu.shares')
  if (shares !== 0n) properties.push(number('CPUWeight', BigInt(containerWeight(Number(shares)))))
  const [quota, period] = [parseInteger(cpu.quota, 'cpu.quota'), parseUnsigned(cpu.period, 'cpu.period')]
  if (period !== 0n) properties.push(number('CPUQuotaPeriodUSec', period))
  if (quota !== 0n) properties.push(number('CPUQuotaPerSecUSec', quota < 0n ? infinity : perSecond(quota, period)))
  if (cpu.cpus) properties.push(['AllowedCPUs', ['ay', bitsOf(cpu.cpus, 'cpu.cpus')]])
  if (cpu.mems) properties.push(['AllowedMemoryNodes', ['ay', bitsOf(cpu.mems, 'cpu.mems')]])
  if (pids.limit !== undefined && pids.limit !== null) {
    const tasks = parseInteger(pids.limit, 'pids.limit')
    // systemd refuses 0; with the first process in the group, 1 prevents forks, too
    properties.push(number('TasksMax', tasks === 0n ? 1n : limitOf(tasks)))
  }
  for (const [file, text] of Object.entries(unified)) {
    const name = Object.hasOwn(unifiedProperties, file) ? unifiedProperties[file] : undefined
    const value = parseSize(text.trim())
    if (name !== undefined && value !== undefined)
      properties.push(number(name, value === 'max' ? infinity : BigInt(value)))
  }
  return properties
}

/** Properties of files in `unified`. */
const unifiedProperties: { readonly [file: string]: string } = {
  'memory.max': 'MemoryMax',
  'memory.high': 'MemoryHigh',
  'memory.low': 'MemoryLow',
  'memory.min': 'MemoryMin',
  'memory.swap.max': 'MemorySwapMax',
  'cpu.weight': 'CPUWeight',
}

function perSecond(quota: bigint, period: bigint): bigint {
  const exact = (quota * 1_000_000n) / (period || 100_000n)
  return ((exact + quotaStep - 1n) / quotaStep) * quotaStep
}

/** Returns a list such as 0-2,5 as a mask of bytes. @throws OPTION_INVALID */
function bitsOf(list: string, property: string): number[] {
  const bytes: number[] = []
  for (const part of list.split(',').map((one) => one.trim())) {
    const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part) ?? []
    if (first === undefined || Number(last) < Number(first)) throw invalid(property, list, 'a list such as 0-2,5')
    for (let bit = Number(first); bit <= Number(last); bit++) {
      while (bytes.length <= bit >> 3) bytes.push(0)
      bytes[bit >> 3]! |= 1 << (bit & 7)
    }
  }
  return bytes
}

/**
 * Returns the properties for allowed devices, in addition to the program that hutch attaches. A rule with a denial is left to that
 * program. `drivers` are the names in /proc/devices, such as `char 136` with `pts`.
 */
export function deviceProperties(
  rules: readonly (DeviceRule & { allow: boolean })[],
  drivers: ReadonlyMap<string, string>,
): UnitProperty[] {
  const words = { c: 'char', b: 'block' } as const
  const allowed = rules.filter(({ allow }) => allow)
  const isAll = (['c', 'b'] as const).every((type) =>
    allowed.some((rule) => formatDeviceRule(rule) === `${type} *:* rwm`),
  )
  const list = allowed.flatMap(({ type, major, minor, access }): [string, string][] => {
    if (major === '*') return [[`${words[type]}-*`, access]]
    if (minor !== '*') return [[`/dev/${words[type]}/${major}:${minor}`, access]]
    const driver = drivers.get(`${words[type]} ${major}`)
    return driver === undefined ? [] : [[`${words[type]}-${driver}`, access]]
  })
  return [
    ['DevicePolicy', ['s', isAll ? 'auto' : 'strict']],
    ['DeviceAllow', ['a(ss)', isAll ? [] : list]],
  ]
}

const prefix = 'org.systemd.property.'

/** Returns the properties that annotations `org.systemd.property.NAME` request, with values as in GVariant's text format. @throws OPTION_INVALID */
export function annotatedProperties(annotations: { readonly [name: string]: string }): UnitProperty[] {
  return Object.entries(annotations).flatMap(([annotation, text]): UnitProperty[] => {
    if (!annotation.startsWith(prefix)) return []
    const name = annotation.slice(prefix.length)
    const variant = /^[A-Z][A-Za-z]{2,63}$/.test(name) ? parseVariant(text.trim()) : undefined
    if (!variant)
      throw invalid(`annotations["${annotation}"]`, text, "a value such as true, 'text', uint64 5 or ['a', 'b']")
    // properties in seconds are microseconds in D-Bus
    const [signature, value] = variant
    if (!/[a-z]Sec$/.test(name) || typeof value === 'string' || typeof value === 'boolean') return [[name, variant]]
    if (!/^[iutxnqd]$/.test(signature)) return [[name, variant]]
    const micro = typeof value === 'bigint' ? value * 1_000_000n : BigInt(Math.round(Number(value) * 1e6))
    return [[`${name.slice(0, -3)}USec`, ['t', micro]]]
  })
}

const integerTypes: { readonly [word: string]: string } = {
  int16: 'n',
  uint16: 'q',
  int32: 'i',
  uint32: 'u',
  int64: 'x',
  uint64: 't',
}

function parseVariant(text: string): [string, DbusValue] | undefined {
  if (text === 'true' || text === 'false') return ['b', text === 'true']
  const string = parseString(text)
  if (string !== undefined) return ['s', string]
  const [, word = 'int32', digits] = /^(?:(u?int(?:16|32|64)) +)?(-?\d{1,20})$/.exec(text) ?? []
  const type = integerTypes[word]
  if (digits !== undefined && type) return [type, 'xt'.includes(type) ? BigInt(digits) : Number(digits)]
  if (/^-?\d+\.\d+$/.test(text)) return ['d', Number(text)]
  const [, list] = /^(?:@as )?\[(.*)\]$/s.exec(text) ?? []
  if (list === undefined) return undefined
  const items = list.trim() === '' ? [] : list.split(/,(?=\s*['"])/).map((item) => parseString(item.trim()))
  return items.some((item) => item === undefined) ? undefined : ['as', items as string[]]
}

function parseString(text: string): string | undefined {
  const [, , inner] = /^(['"])((?:[^\\]|\\.)*?)\1$/s.exec(text) ?? []
  return inner?.replace(/\\(.)/gs, '$1')
}
