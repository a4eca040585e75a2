// SPDX-License-Identifier: Apache-2.0
// Simplifies lists of device rules in which later rules change earlier ones, and converts them to lines for v1. The kernel keeps
// either a list of allowed devices there, or one of denied devices: cgroup-v1/devices.rst. Pure.
import { type DeviceRule, formatDeviceRule, type OrderedDeviceRule } from './device-filter.ts'

const meets = (a: number | '*', b: number | '*'): boolean => a === '*' || b === '*' || a === b
const contains = (a: number | '*', b: number | '*'): boolean => a === '*' || a === b

function overlaps(a: DeviceRule, b: DeviceRule): boolean {
  return (
    a.type === b.type && meets(a.major, b.major) && meets(a.minor, b.minor) && shared(a.access, b.access).length > 0
  )
}

function covers(a: DeviceRule, b: DeviceRule): boolean {
  return a.type === b.type && contains(a.major, b.major) && contains(a.minor, b.minor)
}

const shared = (a: string, b: string): string => [...a].filter((letter) => b.includes(letter)).join('')
const without = (a: string, b: string): string => [...a].filter((letter) => !b.includes(letter)).join('')
const joined = (a: string, b: string): string => [...'rwm'].filter((letter) => (a + b).includes(letter)).join('')

/**
 * Simplifies rules without changing what they allow; at first, everything is denied. In the result, a denial only follows rules that
 * allow more than it denies.
 */
export function simplifyDeviceRules(rules: readonly OrderedDeviceRule[]): OrderedDeviceRule[] {
  let list: OrderedDeviceRule[] = []
  for (const rule of rules) {
    // a denial takes its letters from all rules that it covers; a permission only replaces denials
    list = list
      .map((one) =>
        !(rule.allow && one.allow) && covers(rule, one) ? { ...one, access: without(one.access, rule.access) } : one,
      )
      .filter(({ access }) => access !== '')
    if (!rule.allow) {
      if (list.some((one) => one.allow && overlaps(rule, one))) list.push(rule)
      continue
    }
    const twin = list.findIndex((one) => one.allow && covers(one, rule) && covers(rule, one))
    const isMovable = twin >= 0 && !list.slice(twin).some((one) => !one.allow && overlaps(one, list[twin]!))
    const access = isMovable ? joined(rule.access, list[twin]!.access) : rule.access
    if (isMovable) list.splice(twin, 1)
    list.push({ ...rule, access })
  }
  return list
}

/** A line for a v1 file of the devices controller. */
interface DeviceLine {
  file: 'devices.allow' | 'devices.deny'
  value: string
}

const everything = 'rwm'
const isWildcard = ({ major, minor, access }: DeviceRule): boolean =>
  major === '*' && minor === '*' && joined(access, '') === everything

/**
 * Returns the lines that give a new group these rules. Returns the rule that v1 cannot express instead, if a rule is an
 * exception of an exception.
 */
export function formatOrderedRules(rules: readonly OrderedDeviceRule[]): DeviceLine[] | { refused: OrderedDeviceRule } {
  const list = simplifyDeviceRules(rules)
  const all = list.filter((rule) => rule.allow && isWildcard(rule))
  const allowsAll = new Set(all.map(({ type }) => type)).size === 2
  const exceptions = list.filter((rule) => !(allowsAll && all.includes(rule)))
  // after everything was allowed, a permission matters only if an earlier denial has a part of it
  const isNeeded = (rule: OrderedDeviceRule, i: number) =>
    !rule.allow || exceptions.slice(0, i).some((one) => !one.allow && overlaps(one, rule))
  const kept = allowsAll ? exceptions.filter(isNeeded) : exceptions
  const refused = kept.find(({ allow }) => allow === allowsAll)
  if (refused) return { refused }
  return [
    { file: allowsAll ? 'devices.allow' : 'devices.deny', value: 'a' },
    ...kept.map(
      (rule): DeviceLine => ({
        file: allowsAll ? 'devices.deny' : 'devices.allow',
        value: formatDeviceRule(rule),
      }),
    ),
  ]
}
