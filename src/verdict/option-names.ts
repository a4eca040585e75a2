// SPDX-License-Identifier: Apache-2.0
// The names that each front end has for an option, for remedies. Pure.
import { escapeText, shellWord } from '../quote.ts'
import type { Frontend, OptionKey } from './cause.ts'

const cliNames: { [key: string]: string } = {
  'limits.memory': '--memory',
  'limits.memoryHigh': '--memory-high',
  'limits.pids': '--pids',
  'limits.cpus': '--cpus',
  'limits.cpusetCpus': '--cpuset-cpus',
  'limits.ioMax': '--io-max',
  'limits.cpu.max': '--limit cpu.max',
  'limits.cpu.max.burst': '--limit cpu.max.burst',
  parent: '--parent',
  timeout: '--timeout',
  killAfter: '--kill-after',
  cpuTime: '--cpu-time',
  maxOutput: '--max-output',
  seccomp: '--seccomp',
  seccompReport: '--seccomp-report',
  network: '--network',
  env: '--env',
  'mounts.volume': '--volume',
  'mounts.tmpfs': '--tmpfs',
  landlock: '--landlock',
  oomScoreAdj: '--oom-score-adj',
  workdir: '--workdir',
}

/** Options of `hutch bwrap`; it has no others. */
const bwrapNames: { [key: string]: string } = {
  'limits.memory': '--hutch-memory',
  'limits.pids': '--hutch-pids',
  'limits.cpus': '--hutch-cpus',
  timeout: '--hutch-timeout',
  env: '--setenv',
}

/** Returns what a front end calls an option; undefined if it has none of that kind. */
export function optionName(key: OptionKey, frontend: Frontend): string | undefined {
  if (frontend === 'library') return key
  if (frontend === 'bwrap') return bwrapNames[key]
  return key.startsWith('ulimits.') ? `--ulimit ${key.slice('ulimits.'.length)}` : cliNames[key]
}

/** Returns the option with its value as it is typed there: `--memory 88M`, `limits: { memory: '88M' }`. */
export function optionWithValue(key: OptionKey, value: string | undefined, frontend: Frontend): string | undefined {
  const name = optionName(key, frontend)
  if (name === undefined || value === undefined) return name
  if (key === 'env') return environment(value, frontend)
  if (frontend === 'cli' && name.startsWith('--limit ')) return `--limit ${shellWord(`${name.slice(8)}=${value}`)}`
  if (frontend !== 'library') return key.startsWith('ulimits.') ? `${name}=${value}` : `${name} ${value}`
  const [object, ...rest] = key.split('.')
  const inner = rest.length > 1 ? `'${rest.join('.')}'` : rest[0]
  if (inner === undefined) return `${object}: ${quoted(value)}`
  return object === 'mounts' ? `mounts: [{ ${inner}: ${quoted(value)} }]` : `${object}: { ${inner}: ${quoted(value)} }`
}

/** A variable and its value, `NAME=VALUE`. */
function environment(pair: string, frontend: Frontend): string {
  const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]
  if (frontend === 'library') return `env: { ${name}: ${quoted(value)} }`
  return frontend === 'bwrap' ? `--setenv ${name} ${shellWord(value)}` : `--env ${shellWord(pair)}`
}

function quoted(value: string): string {
  return /^\d+(\.\d+)?$/.test(value) ? value : `'${escapeText(value).replaceAll("'", "\\'")}'`
}
