// SPDX-License-Identifier: Apache-2.0
// A row as a command line of `hutch run`, and what a person does who reads the remedy: pastes it. Used by ends.test.ts.
import { writeFileSync } from 'node:fs'
import type { RunOptions } from '../../src/index.ts'
import { collect, type Ended, hutch } from '../cli/hutch.ts'

const words: { [key: string]: string } = {
  timeout: '--timeout',
  killAfter: '--kill-after',
  cpuTime: '--cpu-time',
  maxOutput: '--max-output',
  oomScoreAdj: '--oom-score-adj',
}
const milliseconds = new Set(['timeout', 'killAfter', 'cpuTime'])

/** The options as words, one list for each flag. `directory` is for files that they name. */
export function flagsOf(options: RunOptions, directory: string): string[][] {
  return Object.entries(options).flatMap(([key, value]): string[][] => {
    if (key === 'limits') return value === 'none' ? [['--limit', 'none']] : Object.entries(value).map(limitFlag)
    if (key === 'ulimits') return Object.entries(value).map(([name, of]) => ['--ulimit', `${name}=${of}`])
    if (key === 'env') return Object.entries(value).map(([name, of]) => ['--env', `${name}=${of}`])
    if (key === 'mounts')
      return (value as object[]).flatMap((entry) => Object.entries(entry).map(([kind, of]) => [`--${kind}`, of]))
    if (key === 'sandbox') return [['--sandbox']]
    if (key === 'seccomp') {
      writeFileSync(`${directory}/profile.json`, JSON.stringify(value))
      return [['--seccomp', `${directory}/profile.json`]]
    }
    if (!words[key]) throw new Error(`no flag is known for ${key}`)
    return [[words[key], milliseconds.has(key) ? `${value}ms` : String(value)]]
  })
}

const limitFlags: { [key: string]: string } = {
  memory: '--memory',
  swap: '--swap',
  pids: '--pids',
  cpus: '--cpus',
  ioMax: '--io-max',
}

function limitFlag([key, value]: [string, unknown]): string[] {
  if (key === 'oomGroup') return ['--oom-group']
  return limitFlags[key] ? [limitFlags[key], String(value)] : ['--limit', `${key}=${value}`]
}

/** Runs it with the verdict; the report's line ends stdout. */
export async function attempt(flags: string[][], command: readonly string[]): Promise<Ended & { remedy: string }> {
  const ended = await hutch(['run', '--verbose', ...flags.flat(), '--', ...command])
  const remedy = /^ {2}remedy:? +(.*)$/m.exec(ended.stderr)?.[1] ?? ''
  return { ...ended, remedy }
}

/** What an option replaces: the same option, of ulimits and file systems the same name, of limits the same file. */
function replaces([flag, value = '']: readonly string[], [old, before = '']: readonly string[]): boolean {
  if (flag === '--memory-high' && before.startsWith('memory.high=')) return true
  if (flag !== old) return false
  const name = (text: string) => text.split(/[=:]/)[0]
  return !['--ulimit', '--tmpfs', '--volume', '--env'].includes(flag!) || name(value) === name(before)
}

/** Applies the first part of a remedy that names options or is a command; returns the new flags, undefined if it has none. */
export async function paste(remedy: string, flags: string[][]): Promise<string[][] | undefined> {
  for (const part of remedy.split(/; (?:or|then) /)) {
    const without = / without (--[a-z-]+)(?: (\S+))?$/.exec(part)
    if (without)
      return flags.filter(([flag, value]) => flag !== without[1] || !(value ?? '').startsWith(without[2] ?? ''))
    const [, options] = / (?:with|add) (--[a-z-]+.*)$/.exec(part) ?? []
    if (options) {
      // the attempt has it anyway
      const added = [...options.replace(/ --verbose$/, '').matchAll(/(--[a-z-]+)(?:[ =]((?!--)\S+))?/g)].map(
        ([, ...rest]) => rest.filter(Boolean),
      )
      if (added.every(([, value]) => value !== undefined && !value.includes('…')))
        return [...flags.filter((old) => !added.some((one) => replaces(one, old))), ...added]
    }
    const [, command] = /: ([a-z].*)$/.exec(part) ?? []
    if (command && !command.includes('…')) {
      const { status, stderr } = await collect('sh', ['-c', command])
      if (status !== 0) throw new Error(`${command}: ${stderr}`)
      return flags
    }
  }
  return undefined
}
