// SPDX-License-Identifier: Apache-2.0
// Translates io.max and io.weight to v1's blkio and back: cgroup-v1/blkio-controller.rst. Since Linux 5.0, only the BFQ scheduler has
// weights there. Pure.
import { fail } from '../../errors/errors.ts'
import { parseSize } from '../../text/units.ts'

/** Keys of io.max in the kernel's order, with their v1 files. */
export const throttleFiles = {
  rbps: 'blkio.throttle.read_bps_device',
  wbps: 'blkio.throttle.write_bps_device',
  riops: 'blkio.throttle.read_iops_device',
  wiops: 'blkio.throttle.write_iops_device',
} as const

type Pair = [file: string, value: string]

/** Translates `8:0 rbps=1048576 wiops=max` into writes to v1's files, where 0 removes a limit. @throws OPTION_INVALID */
export function translateIoMax(value: string, origin: string): Pair[] {
  const refuse = (why: string) =>
    fail('OPTION_INVALID', { name: origin, value, why, accepted: 'a device and limits, such as 8:0 rbps=1048576' })
  const [device = '', ...limits] = value.split(' ').filter(Boolean)
  if (!/^\d{1,4}:\d{1,8}$/.test(device) || limits.length === 0) throw refuse('not a device with limits')
  return limits.map((limit) => {
    const [key = '', amount = ''] = limit.split('=')
    const file = Object.hasOwn(throttleFiles, key) ? throttleFiles[key as keyof typeof throttleFiles] : undefined
    const number = key.endsWith('bps') ? parseSize(amount) : /^\d{1,15}$/.test(amount) ? Number(amount) : amount
    if (file === undefined) throw refuse('its keys are rbps, wbps, riops and wiops')
    if (number !== 'max' && !(typeof number === 'number' && number > 0))
      throw refuse('a limit is a number above 0, or max')
    return [file, `${device} ${number === 'max' ? 0 : number}`]
  })
}

/**
 * Translates a value of io.weight or io.bfq.weight into a write to v1's BFQ weight. Both files are 100 by default; the maximum of BFQ is
 * 1000.
 * @throws OPTION_INVALID, CGROUP_LIMIT_UNSUPPORTED
 */
export function translateIoWeight(value: string, origin: string): Pair {
  const [, device, weight = ''] = /^(?:(default|\d{1,4}:\d{1,8}) +)?(\d{1,6}|default)$/.exec(value.trim()) ?? []
  const whole = device === undefined || device === 'default'
  if (weight === '' || (whole && weight === 'default') || Number(weight) < 1 || Number(weight) > 10_000)
    throw fail('OPTION_INVALID', {
      name: origin,
      value,
      why: 'not a weight',
      accepted: 'a weight from 1 to 10000, or a device and a weight, such as 8:0 200',
    })
  if (Number(weight) > 1000)
    throw fail('CGROUP_LIMIT_UNSUPPORTED', {
      file: 'blkio.bfq.weight',
      origin,
      why: 'on cgroup v1 weights end at 1000',
      remedy: 'give a weight up to 1000, and smaller weights to the sibling groups',
    })
  return whole ? ['blkio.bfq.weight', weight] : ['blkio.bfq.weight_device', `${device} ${weight}`]
}

/** Returns the text of io.max, built from v1's files; undefined if v1 has none of these files. */
export function readIoMax(read: (file: string) => string | undefined): string | undefined {
  const devices = new Map<string, Map<string, string>>()
  let known = false
  for (const [key, file] of Object.entries(throttleFiles)) {
    const text = read(file)
    known ||= text !== undefined
    for (const line of text?.split('\n') ?? []) {
      const [, device, limit] = /^(\d+:\d+) (\d+)$/.exec(line) ?? []
      if (device) devices.set(device, (devices.get(device) ?? new Map()).set(key, limit!))
    }
  }
  if (!known) return undefined
  const line = ([device, limits]: [string, Map<string, string>]) =>
    [device, ...Object.keys(throttleFiles).map((key) => `${key}=${limits.get(key) ?? 'max'}`)].join(' ')
  return [...devices].map(line).join('\n')
}

/** Returns the text of io.stat, built from v1's counts of bytes and operations. */
export function readIoStat(read: (file: string) => string | undefined): string | undefined {
  // v2 also counts descendants
  const counts = (file: string) => read(`${file}_recursive`) ?? read(file)
  const bytes = counts('blkio.throttle.io_service_bytes')
  const operations = counts('blkio.throttle.io_serviced')
  if (bytes === undefined && operations === undefined) return undefined
  const devices = new Map<string, { [operation: string]: string }>()
  for (const [text, suffix] of [[bytes, 'bytes'] as const, [operations, 'ios'] as const])
    for (const [, device, operation, figure] of (text ?? '').matchAll(/^(\d+:\d+) (Read|Write|Discard) (\d+)$/gm))
      devices.set(device!, { ...devices.get(device!), [`${operation![0]!.toLowerCase()}${suffix}`]: figure! })
  const keys = ['rbytes', 'wbytes', 'rios', 'wios', 'dbytes', 'dios']
  return [...devices]
    .map(([device, figures]) => `${device} ${keys.map((key) => `${key}=${figures[key] ?? 0}`).join(' ')}`)
    .join('\n')
}

/** Returns the text of io.weight, built from BFQ's weights. CFQ's weights (10 to 1000) are converted linearly, as container runtimes do. */
export function readIoWeight(read: (file: string) => string | undefined): string | undefined {
  const weight = read('blkio.bfq.weight')
  if (weight !== undefined) {
    const devices = read('blkio.bfq.weight_device')?.split('\n') ?? []
    return [`default ${weight}`, ...devices.filter((line) => /^\d+:\d+ \d+$/.test(line))].join('\n')
  }
  const old = read('blkio.weight')
  return old === undefined || !/^\d+$/.test(old)
    ? undefined
    : `default ${Math.round(1 + ((Number(old) - 10) * 9999) / 990)}`
}
