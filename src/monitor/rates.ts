// SPDX-License-Identifier: Apache-2.0
// Computes the rates between two samples, from the table of figures. Pure.
import { type RateValues, rateRows } from '../cgroup/controllers/figures.ts'
import type { DeviceIo, GroupSample, Pressure, Snapshot } from './sample.ts'

/**
 * Rates of one group between two samples; docs/figures.md lists them. Undefined if one sample lacks the figure, or if
 * the counter was reset.
 */
export interface GroupRates extends RateValues {}

/**
 * Returns the rates of each group that is in both samples.
 *
 * @example
 * const sampler = openSampler()
 * const before = sampler.sample()
 * await run('sleep', ['0.1'])
 * console.log(typeof rates(before, sampler.sample()).get('/').cpus) // number
 * sampler.close()
 */
export function rates(before: Snapshot, after: Snapshot): Map<string, GroupRates> {
  const seconds = (after.time - before.time) / 1000
  const found = new Map<string, GroupRates>()
  if (seconds <= 0) return found
  for (const [path, now] of after.groups) {
    const then = before.groups.get(path)
    if (then) found.set(path, rateOf(then, now, seconds))
  }
  return found
}

const noRates = Object.fromEntries(rateRows.map(({ name }) => [name, undefined])) as unknown as GroupRates
const steps = rateRows.map((row) => [row.name, makeRate(row)] as const)

/** Returns the rates of one group between two samples that are `seconds` apart. */
export function rateOf(then: GroupSample, now: GroupSample, seconds: number): GroupRates {
  const made = { ...noRates }
  for (const [name, read] of steps) made[name] = read(then, now, seconds)
  return made
}

type Read = (then: GroupSample, now: GroupSample, seconds: number) => number | undefined

function makeRate({ by, per = 1, of, share, figure: { name } }: (typeof rateRows)[number]): Read {
  const counter = (sample: GroupSample): unknown =>
    of === undefined ? sample[name] : sumDevices(sample[name], of as keyof DeviceIo)
  const other = share as typeof name | undefined
  switch (by) {
    case 'second':
      return (then, now, seconds) => scale(difference(counter(then), counter(now)), seconds * per)
    case 'sum':
      return (then, now) => difference(counter(then), counter(now))
    case 'share':
      return (then, now) => {
        const [part, all] = [difference(then[name], now[name]), difference(then[other!], now[other!])]
        return all === undefined || part === undefined ? undefined : all === 0 ? 0 : part / all
      }
    case 'time':
      return (then, now, seconds) => {
        const total = (sample: GroupSample) => (sample[name] as Pressure | undefined)?.some.totalUsec
        const part = scale(difference(total(then), total(now)), seconds * per)
        return part === undefined ? undefined : Math.min(1, part)
      }
  }
}

/** Returns the increase of a counter. A counter that decreased belongs to a new group with the same name. */
function difference(then: unknown, now: unknown): number | undefined {
  return typeof then === 'number' && typeof now === 'number' && now >= then ? now - then : undefined
}

function scale(value: number | undefined, by: number): number | undefined {
  return value === undefined ? undefined : value / by
}

/** Sums one counter over all block devices. The kernel lists a device only after its first operation. */
export function sumDevices(devices: unknown, key: keyof DeviceIo): number | undefined {
  if (devices === undefined) return undefined
  let sum = 0
  for (const device of Object.values(devices as { [device: string]: DeviceIo })) sum += device[key]
  return sum
}
