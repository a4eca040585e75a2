// SPDX-License-Identifier: Apache-2.0
// Reads the options of `hutch advise` and the files that they name. Refuses what is invalid, and options that would have no effect.
import type { Resources } from '../../advise/advice.ts'
import { type MachineType, parseMachines } from '../../advise/machines.ts'
import { outputs } from '../../advise/outputs.ts'
import type { PodGroup } from '../../advise/packing.ts'
import { type Prices, parsePriceFile, parsePrices } from '../../advise/prices.ts'
import { fail } from '../../errors/errors.ts'
import { errnoName } from '../../system/native.ts'
import { readTextFile } from '../../system/text-file.ts'
import { milliOf, parseQuantity, wholeOf } from '../../text/quantity.ts'
import type { Parsed } from '../flags.ts'
import { longTime, readTime } from '../polling.ts'
import { parseReady } from './ready.ts'

/** The checked options. */
export interface Settings {
  runs: number
  slowdown: number
  duration?: number
  isReady?: ReturnType<typeof parseReady>
  replicas: number
  prices?: Prices
  machines?: MachineType[]
  /** Pods that share the machines with the replicas. */
  beside: PodGroup[]
  today?: Resources
  output?: string
  name?: string
}

const maxFileBytes = 16 << 20
const maxReplicas = 100_000

/** Options that have an effect only with one of the others, and why. */
const needed: readonly (readonly [name: string, others: readonly string[], why: string])[] = [
  ['load', ['duration'], 'it applies only to servers'],
  ['ready', ['duration'], 'it applies only to servers'],
  ['image', ['output'], 'it applies only to --output'],
  ['name', ['output'], 'it applies only to --output'],
  ['today', ['cost'], 'it applies only to --cost'],
  ['beside', ['nodes'], 'it applies only to --nodes'],
  ['replicas', ['cost', 'nodes', 'output'], 'it applies only to --cost, --nodes and --output'],
]

/** Options that exclude each other. */
const excluded: readonly (readonly [name: string, other: string])[] = [
  ['watch', 'from'],
  ['runs', 'watch'],
  ['runs', 'from'],
  ['load', 'watch'],
  ['ready', 'watch'],
  ['duration', 'from'],
  ['json', 'output'],
]

function checkTogether(values: Parsed['values']): void {
  for (const [name, others, why] of needed)
    if (values[name] && !others.some((other) => values[other]))
      throw fail('OPTION_CONFLICT', { name: `--${name}`, why, remedy: `add --${others[0]}` })
  for (const [name, other] of excluded)
    if (values[name] && values[other])
      throw fail('OPTION_CONFLICT', { name: `--${name}`, why: `--${other} is given, too`, remedy: 'omit one of them' })
  // --json has no value
  const empty = Object.entries(values).find(([name, given]) => name !== 'json' && given?.includes(''))
  if (empty) throw fail('OPTION_INVALID', { name: `--${empty[0]}`, value: '', accepted: 'a value that is not empty' })
}

/** Checks all options before the first run. @throws OPTION_INVALID, OPTION_CONFLICT, COMMAND_MISSING, FILE_REFUSED */
export function readSettings(values: Parsed['values'], rest: readonly string[]): Settings {
  checkTogether(values)
  const last = (name: string) => values[name]?.at(-1)
  const [from, watch, output, cost, nodes, today] = ['from', 'watch', 'output', 'cost', 'nodes', 'today'].map(last)
  const usage = 'hutch advise [OPTIONS] -- COMMAND [ARG…]'
  if (from === undefined && watch === undefined && (rest[0] ?? '') === '') throw fail('COMMAND_MISSING', { usage })
  const extra = watch !== undefined ? rest[0] : from !== undefined ? rest[1] : undefined
  if (extra !== undefined)
    throw fail('ARGUMENT_UNEXPECTED', {
      argument: extra,
      usage: `hutch advise [OPTIONS] ${watch === undefined ? '--from FILE [GROUP]' : '--watch GROUP'}`,
    })
  if (output !== undefined && !Object.hasOwn(outputs, output))
    throw fail('OPTION_INVALID', { name: '--output', value: output, accepted: Object.keys(outputs).join(', ') })
  const duration = readTime(values, 'duration', longTime)
  const [name, image, ready] = [last('name'), last('image'), last('ready')]
  if (name !== undefined && !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))
    throw fail('OPTION_INVALID', {
      name: '--name',
      value: name,
      accepted: 'lower-case letters, digits and -, 63 at most',
    })
  if (image !== undefined && !/^[\w][\w./:@-]*$/.test(image))
    throw fail('OPTION_INVALID', { name: '--image', value: image, accepted: 'an image such as registry.example/app:1' })
  return {
    runs: readNumber(last('runs') ?? '3', '--runs', 1, 1000),
    slowdown: readPercent(last('slowdown') ?? '5%'),
    ...(duration !== undefined && { duration }),
    ...(ready !== undefined && { isReady: parseReady(ready) }),
    beside: (values.beside ?? []).map(readBeside),
    replicas: readNumber(last('replicas') ?? '1', '--replicas', 1, maxReplicas),
    ...(cost !== undefined && {
      prices: cost.includes('=') ? parsePrices(cost) : parsePriceFile(readInput(cost, '--cost'), cost),
    }),
    ...(nodes !== undefined && { machines: parseMachines(readInput(nodes, '--nodes'), nodes) }),
    ...(today !== undefined && { today: readToday(today) }),
    ...(output !== undefined && { output }),
    ...(name !== undefined && { name }),
  }
}

function readNumber(text: string, name: string, least: number, most: number): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  throw fail('OPTION_INVALID', { name, value: text, accepted: `a whole number from ${least} to ${most}` })
}

function readPercent(text: string): number {
  const [, number] = /^(\d{1,4}(?:\.\d+)?)%?$/.exec(text) ?? []
  if (number !== undefined && Number(number) <= 1000) return Number(number) / 100
  throw fail('OPTION_INVALID', { name: '--slowdown', value: text, accepted: 'a percentage such as 5%' })
}

/** Parses `cpu=2,memory=4Gi`. Returns undefined if a part is invalid, unknown or given twice. */
function parseSize(text: string, keys: readonly string[]): { [key: string]: bigint | undefined } | undefined {
  const size: { [key: string]: bigint | undefined } = {}
  for (const part of text.split(',')) {
    const [key, value] = part.split('=', 2)
    const amount = parseQuantity(value)
    if (!keys.includes(key!) || size[key!] !== undefined || amount === undefined || amount < 0n) return undefined
    size[key!] = amount
  }
  return size
}

function readToday(text: string): Resources {
  const size = parseSize(text, ['cpu', 'memory'])
  if (!size) throw fail('OPTION_INVALID', { name: '--today', value: text, accepted: 'a size such as cpu=2,memory=4Gi' })
  return {
    ...(size.cpu !== undefined && { milliRequest: milliOf(size.cpu) }),
    ...(size.memory !== undefined && { memoryRequest: wholeOf(size.memory) }),
  }
}

function readBeside(text: string): PodGroup {
  const { cpu = 0n, memory = 0n, replicas: given } = parseSize(text, ['cpu', 'memory', 'replicas']) ?? {}
  const count = given === undefined ? 1 : wholeOf(given)
  if (cpu + memory > 0n && count >= 1 && count <= maxReplicas)
    return { name: text, count, milliCpus: milliOf(cpu), memory: wholeOf(memory) }
  throw fail('OPTION_INVALID', {
    name: '--beside',
    value: text,
    accepted: `a size and a number of pods up to ${maxReplicas}, such as cpu=500m,memory=1Gi,replicas=20`,
  })
}

/** Reads a file that an option names. @throws FILE_REFUSED */
export function readInput(path: string, name: string): string {
  try {
    return readTextFile(path, maxFileBytes)
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException
    throw fail(
      'FILE_REFUSED',
      {
        what: `read the file of ${name}`,
        path,
        errno: errno === undefined ? 'EIO' : errnoName(errno),
        remedy: `give ${name} a file that exists and can be read`,
      },
      error,
    )
  }
}
