// SPDX-License-Identifier: Apache-2.0
// Checks requests and limits of containers and pods by the rules of the API server, and warns of amounts that are probably mistaken. Pure.
import { nearest } from '../text/nearest.ts'
import { milliOf, parseQuantity, type Quantity, wholeOf } from '../text/quantity.ts'
import { isRecord, type ReportProblem } from './check-fields.ts'
import type { FieldPath } from './documents.ts'

const standard = ['cpu', 'memory', 'ephemeral-storage']
const hugePrefix = 'hugepages-'
/** Least limit of memory in bytes, which is Docker's: runc and what it starts need it before the container's program runs. */
export const leastMemory = 6 << 20

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const extended = new RegExp(`^${label}(\\.${label})*/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`)

/** Amounts that were parsed, by resource. Invalid ones were reported by checkFields and are absent. */
type Amounts = Map<string, Quantity>

/** Returns the valid amounts of a map of quantities. */
export function readAmounts(value: unknown): Amounts {
  const entries = isRecord(value) ? Object.entries(value) : []
  return new Map(
    entries.flatMap(([name, text]) => {
      // the API server takes an empty amount as 0
      const amount = text === null ? 0n : parseQuantity(text)
      return amount === undefined ? [] : [[name, amount] as const]
    }),
  )
}

/** Returns the requests and limits of a resources block, with the requests that the API server adds. */
export function readResourceBlock(value: unknown): { requests: Amounts; limits: Amounts } {
  const block = isRecord(value) ? value : {}
  const limits = readAmounts(block.limits)
  return { requests: new Map([...limits, ...readAmounts(block.requests)]), limits }
}

/** Returns a remedy for an amount of memory that has a part of a byte. */
function suggestUnit(source: string): string {
  const number = source.replace(/m$/, '')
  if (number !== source) return `write ${number}Mi for mebibytes: m stands for thousandths`
  return `write ${/^[\d.]+$/.test(number) ? number : 1}Gi for gibibytes`
}

/** Checks one amount of a resource. */
function checkAmount(name: string, amount: Quantity, path: FieldPath, report: ReportProblem): void {
  if (amount < 0n) {
    report(path, 'is negative', 'give an amount of at least 0')
    return
  }
  const isWhole = amount % 1_000_000_000n === 0n
  if (name === 'memory' && amount > 0n && !isWhole)
    report(
      path,
      `is ${Number(amount) / 1e9} bytes, which is not a whole number`,
      (source) => suggestUnit(source),
      'warning',
    )
  else if (name === 'memory' && amount > 0n && wholeOf(amount) < 512 * 1024)
    report(path, `is only ${wholeOf(amount)} bytes`, `write ${wholeOf(amount)}Mi for mebibytes`, 'warning')
  else if (name === 'memory' && path.at(-2) === 'limits' && amount > 0n && wholeOf(amount) < leastMemory)
    report(path, 'is less than a container runtime needs to start a container', 'write 6Mi, or more', 'warning')
  if (name === 'cpu' && amount % 1_000_000n !== 0n)
    report(path, 'has parts below a thousandth of a CPU', 'give at least 1m, and whole thousandths')
  if (name === 'cpu' && milliOf(amount) >= 1_000_000)
    report(
      path,
      `is ${milliOf(amount) / 1000} CPUs`,
      (source) =>
        `write ${/^[\d.]+[MG]$/.test(source) ? source.slice(0, -1) : milliOf(amount) / 1000}m for thousandths`,
      'warning',
    )
  if (name.startsWith(hugePrefix)) {
    const page = parseQuantity(name.slice(hugePrefix.length))
    if (page !== undefined && page > 0n && amount % page !== 0n)
      report(
        path,
        `is not a multiple of the page size ${name.slice(hugePrefix.length)}`,
        'give a whole number of pages',
      )
  }
  if (extended.test(name) && !isWhole) report(path, 'is not a whole number', 'give a whole number of devices')
}

/** Checks the name of a resource. */
function checkName(name: string, path: FieldPath, report: ReportProblem): void {
  if (standard.includes(name) || extended.test(name)) return
  if (name.startsWith(hugePrefix)) {
    const page = parseQuantity(name.slice(hugePrefix.length))
    if (page === undefined || page <= 0n) report(path, 'names no page size', 'write hugepages-2Mi or hugepages-1Gi')
    return
  }
  const near = /gpu/i.test(name)
    ? 'DOMAIN/NAME, such as nvidia.com/gpu'
    : (nearest(name.toLowerCase(), standard) ?? (/^mem/i.test(name) ? 'memory' : undefined))
  report(
    path,
    'is an unknown resource',
    near ? `write ${near}` : `give ${standard.join(', ')}, hugepages-SIZE or DOMAIN/NAME`,
  )
}

/** Checks a resources block of a container or of a pod. */
export function checkResources(value: unknown, path: FieldPath, report: ReportProblem): void {
  const { requests, limits } = readResourceBlock(value)
  const given = readAmounts(isRecord(value) ? value.requests : undefined)
  for (const [field, amounts] of [['requests', given] as const, ['limits', limits] as const]) {
    const names = isRecord(value) && isRecord(value[field]) ? Object.keys(value[field]) : []
    for (const name of names) checkName(name, [...path, field, name], report)
    for (const [name, amount] of amounts) checkAmount(name, amount, [...path, field, name], report)
  }
  for (const [name, request] of given) {
    const limit = limits.get(name)
    const fixed = name.startsWith(hugePrefix) || extended.test(name)
    const at = [...path, 'requests', name]
    if (fixed && limit === undefined)
      report(at, `has no limit: ${name} cannot be overcommitted`, `give the same amount in limits.${name}`)
    else if (fixed && limit !== request)
      report(at, `differs from limits.${name}, and cannot be overcommitted`, 'give the same amount twice')
    else if (limit !== undefined && request > limit)
      report(at, `is above limits.${name}`, `lower it, or raise limits.${name}`)
  }
  const hasHuge = [...requests].find(([name, amount]) => name.startsWith(hugePrefix) && amount > 0n)
  if (hasHuge && !requests.has('cpu') && !requests.has('memory'))
    report([...path, 'limits', hasHuge[0]], 'is given without cpu or memory', 'add a request of cpu or memory')
}

const podLevel = (name: string) => name === 'cpu' || name === 'memory' || name.startsWith(hugePrefix)

/** Checks the resources of a pod as a whole against those of its containers, whose effective requests are `sum`. */
export function checkPodLevel(
  value: unknown,
  containers: readonly { resources: unknown; path: FieldPath }[],
  sum: (name: string) => Quantity,
  path: FieldPath,
  report: ReportProblem,
): void {
  const block = isRecord(value) ? value : {}
  const limits = readAmounts(block.limits)
  const requests = readAmounts(block.requests)
  for (const [field, amounts] of [['requests', requests] as const, ['limits', limits] as const])
    for (const name of amounts.keys())
      if (!podLevel(name))
        report([...path, field, name], 'cannot be given for a whole pod', 'give it in the resources of a container')
  for (const [name, request] of requests)
    if (sum(name) > request)
      report([...path, 'requests', name], 'is less than the containers request together', 'raise it, or lower theirs')
  for (const { resources, path: at } of containers)
    for (const [name, limit] of readResourceBlock(resources).limits) {
      const most = limits.get(name)
      if (most !== undefined && limit > most)
        report(
          [...at, 'resources', 'limits', name],
          "is above the pod's own limit",
          'lower it, or raise spec.resources.limits',
        )
    }
}
