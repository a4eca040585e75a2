// SPDX-License-Identifier: Apache-2.0
// Maps options of other tools that `hutch run` accepts, because it has an option with the same effect. Read by
// translate.ts. Pure, except for calls of `Reads`.
import { weightFromShares } from '../../cgroup/v1/translate.ts'
import { fail } from '../../errors/errors.ts'
import { parseSize } from '../../text/units.ts'

/** How the translation of an option reads further input: other options, and files. */
export interface Reads {
  /** Returns the last value of another option on the same command line. `name` includes the dashes. */
  lastValue(name: string): string | undefined
  /** Returns the text of a file of the caller. @throws FILE_REFUSED */
  readText(path: string): string
}

/** The number of values that follow the option, and the equivalent arguments of `hutch run`. */
export interface Accepted {
  values: 0 | 1 | 2
  words(values: readonly string[], reads: Reads): string[]
}

const ignored: Accepted = { values: 0, words: () => [] }
const ignoredWithValue: Accepted = { values: 1, words: () => [] }
const renamed = (flag: string): Accepted => ({ values: 1, words: ([value]) => [flag, value!] })
const switched = (...words: string[]): Accepted => ({ values: 0, words: () => words })
const written = (words: (value: string, reads: Reads) => string[]): Accepted => ({
  values: 1,
  words: ([value], reads) => words(value!, reads),
})
const ulimit = (name: string, factor = 1): Accepted =>
  written((value) => ['--ulimit', `${name}=${/^\d+$/.test(value) ? Number(value) * factor : value}`])
const inSeconds = (flag: string): Accepted =>
  written((value) => [flag, /^\d+(\.\d+)?$/.test(value) ? `${value}s` : value])
const inKilobytes = (flag: string): Accepted => written((value) => [flag, /^\d+$/.test(value) ? `${value}K` : value])
const deviceLimit =
  (key: string) =>
  (name: string): Accepted =>
    written((value) => {
      const at = value.lastIndexOf(':')
      if (at < 1) throw invalid(name, value, 'there is no : in it', `${name} DEVICE:RATE, such as /dev/sda:1M`)
      return ['--io-max', `${value.slice(0, at)}:${key}=${value.slice(at + 1)}`]
    })

/** Accepted options by name, including the dashes. Options that `hutch run` has itself are not in this table. */
export const accepted: { readonly [name: string]: Accepted } = {
  // docker run, podman run
  '--interactive': ignored,
  '-i': ignored,
  '--tty': ignored,
  '-t': ignored,
  '--rm': ignored,
  '--init': ignored,
  '--attach': ignoredWithValue,
  '-a': ignoredWithValue,
  '--sig-proxy': ignored,
  '--pids-limit': written((value) => ['--pids', value === '-1' || value === '0' ? 'max' : value]),
  '--memory-reservation': renamed('--memory-low'),
  '--memory-swap': written((value, { lastValue }) => [
    '--swap',
    swapOf(value, lastValue('--memory') ?? lastValue('-m')),
  ]),
  '--cpu-shares': written((value) => ['--cpu-weight', cpuWeight(value)]),
  '-c': written((value) => ['--cpu-weight', cpuWeight(value)]),
  '--cpu-quota': written((value, { lastValue }) => [
    '--limit',
    `cpu.max=${value === '-1' || value === '0' ? 'max' : value} ${lastValue('--cpu-period') ?? 100_000}`,
  ]),
  '--cpu-period': written((value, { lastValue }) => {
    if (lastValue('--cpu-quota') !== undefined) return []
    throw invalid('--cpu-period', value, 'it has no effect without --cpu-quota', '--cpus N, or both options')
  }),
  '--cpuset-mems': written((value) => ['--limit', `cpuset.mems=${value}`]),
  '--blkio-weight': written((value) => ['--limit', `io.weight=${ioWeight(value)}`]),
  '--device-read-bps': deviceLimit('rbps')('--device-read-bps'),
  '--device-write-bps': deviceLimit('wbps')('--device-write-bps'),
  '--device-read-iops': deviceLimit('riops')('--device-read-iops'),
  '--device-write-iops': deviceLimit('wiops')('--device-write-iops'),
  '--shm-size': written((value) => ['--tmpfs', `/dev/shm:size=${value},mode=1777`]),
  '--mount': written(readMount),
  '--env-file': written((value, reads) => readEnvFile(reads.readText(value))),
  '--net': written((value) => ['--network', value === 'bridge' ? 'private' : value]),
  '--cgroup-parent': renamed('--parent'),
  '--stop-timeout': inSeconds('--kill-after'),
  '--security-opt': written(readSecurity),
  // systemd-run
  '--scope': ignored,
  '--pipe': ignored,
  '--pty': ignored,
  '--wait': ignored,
  '--collect': ignored,
  '--working-directory': renamed('--workdir'),
  '--uid': renamed('--user'),
  '--gid': renamed('--group'),
  '--property': written(readProperty),
  // bubblewrap; systemd-run has --setenv=NAME=VALUE
  '--bind': { values: 2, words: ([source, target]) => ['--volume', `${colons(source!)}:${colons(target!)}`] },
  '--ro-bind': { values: 2, words: ([source, target]) => ['--volume', `${colons(source!)}:${colons(target!)}:ro`] },
  '--dev-bind': { values: 2, words: ([source, target]) => ['--volume', `${colons(source!)}:${colons(target!)}:dev`] },
  '--setenv': { values: 2, words: ([name, value]) => ['--env', value === undefined ? name! : `${name}=${value}`] },
  '--chdir': renamed('--workdir'),
  '--clearenv': switched('--clear-env'),
  '--unshare-all': switched('--isolate', 'all,user'),
  '--die-with-parent': ignored,
  '--as-pid-1': switched('--no-init'),
  // nsjail
  '--chroot': renamed('--rootfs'),
  '--cwd': renamed('--workdir'),
  '--bindmount': renamed('--volume'),
  '--bindmount_ro': written((value) => ['--volume', `${value}:ro`]),
  '--tmpfsmount': renamed('--tmpfs'),
  '--time_limit': inSeconds('--timeout'),
  '--cgroup_mem_max': renamed('--memory'),
  '--cgroup_mem_swap_max': renamed('--swap'),
  '--cgroup_pids_max': renamed('--pids'),
  '--cgroup_cpu_ms_per_sec': written((value) => ['--cpus', String(Number(value) / 1000)]),
  '--rlimit_nofile': ulimit('nofile'),
  '--rlimit_nproc': ulimit('nproc'),
  '--rlimit_cpu': ulimit('cpu'),
  '--rlimit_as': ulimit('as', 1_048_576),
  '--rlimit_fsize': ulimit('fsize', 1_048_576),
  '--rlimit_stack': ulimit('stack', 1_048_576),
  '--rlimit_core': ulimit('core', 1_048_576),
  '--nice_level': renamed('--nice'),
  '--oom_score_adj': renamed('--oom-score-adj'),
  '--disable_no_new_privs': switched('--new-privileges'),
  '--keep_env': ignored,
  '--really_quiet': switched('--quiet'),
  // firejail
  '--nonewprivs': ignored,
  '--caps.drop': renamed('--cap-drop'),
  '--netns': written((value) => ['--join', `net=${value}`]),
  '--cpu': renamed('--cpuset-cpus'),
  '--rlimit-as': ulimit('as'),
  '--rlimit-cpu': ulimit('cpu'),
  '--rlimit-fsize': ulimit('fsize'),
  '--rlimit-nofile': ulimit('nofile'),
  '--rlimit-nproc': ulimit('nproc'),
  // isolate
  '--run': ignored,
  '--cg': ignored,
  '--cg-timing': ignored,
  '--cg-mem': inKilobytes('--memory'),
  '--time': inSeconds('--cpu-time'),
  '--wall-time': inSeconds('--timeout'),
  '--processes': renamed('--pids'),
  '--open-files': ulimit('nofile'),
  '--fsize': ulimit('fsize', 1024),
  '--stack': ulimit('stack', 1024),
  '--core': ulimit('core', 1024),
  '--full-env': ignored,
  '--share-net': switched('--network', 'host'),
}

/**
 * Converts the value of Docker's --memory-swap. Docker counts memory and swap together; hutch counts only swap, as
 * cgroup v2 does.
 */
function swapOf(total: string, memory: string | undefined): string {
  if (total === '-1') return 'max'
  const both = parseSize(total)
  const own = memory === undefined ? undefined : parseSize(memory)
  const why =
    both === undefined || both === 'max'
      ? 'not a size'
      : own === undefined || own === 'max'
        ? 'it limits memory and swap together, and --memory is missing'
        : both < own
          ? `it is memory and swap together, and --memory ${memory} is more`
          : undefined
  if (why === undefined) return String(Number(both) - Number(own))
  throw invalid('--memory-swap', total, why, '--swap SIZE, which counts only swap')
}

function cpuWeight(shares: string): string {
  if (/^\d+$/.test(shares)) return String(weightFromShares(Number(shares)))
  throw invalid('--cpu-shares', shares, 'not a number', '--cpu-weight N, 1 to 10000; 1024 shares are 100')
}

/** Converts a weight from v1's range of 10 to 1000 to v2's range of 1 to 10000, as runc does. */
function ioWeight(weight: string): string {
  const number = Number(weight)
  if (number >= 10 && number <= 1000) return String(Math.floor(1 + ((number - 10) * 9999) / 990))
  throw invalid('--blkio-weight', weight, 'not a number from 10 to 1000', '--limit io.weight=N, 1 to 10000')
}

const colons = (path: string) => path.replace(/[\\:]/g, '\\$&')

/** Converts a value of Docker's --mount, such as `type=bind,source=A,target=B,readonly`. */
function readMount(value: string): string[] {
  const parts = new Map(
    value.split(',').map((part) => {
      const at = part.indexOf('=')
      return at < 0 ? [part, 'true'] : [part.slice(0, at), part.slice(at + 1)]
    }),
  )
  const take = (...names: string[]) => {
    const name = names.find((one) => parts.has(one))
    const found = name === undefined ? undefined : parts.get(name)
    for (const one of names) parts.delete(one)
    return found
  }
  const type = take('type')
  const target = take('target', 'destination', 'dst')
  const source = take('source', 'src')
  const readOnly = take('readonly', 'ro')
  const options = readOnly !== undefined && readOnly !== 'false' && readOnly !== '0' ? ['ro'] : []
  const refuse = (why: string) =>
    invalid(
      '--mount',
      value,
      why,
      'type=bind,source=DIR,target=DIR[,readonly] or type=tmpfs,target=DIR[,tmpfs-size=SIZE]',
    )
  if (type !== 'bind' && type !== 'tmpfs')
    throw refuse(type === 'volume' ? 'hutch has no named volumes' : 'its type is not bind or tmpfs')
  if (target === undefined) throw refuse('the target is missing')
  if ((type === 'bind') !== (source !== undefined))
    throw refuse(type === 'bind' ? 'the source is missing' : 'a tmpfs has no source')
  if (type === 'tmpfs') {
    const [size, mode] = [take('tmpfs-size'), take('tmpfs-mode')]
    if (size !== undefined) options.push(`size=${size}`)
    if (mode !== undefined) options.push(`mode=${mode}`)
  }
  const [unknown] = parts.keys()
  if (unknown !== undefined) throw refuse(`${unknown} has no equivalent`)
  const paths = [...(source === undefined ? [] : [colons(source)]), colons(target)]
  return [
    `--${type === 'bind' ? 'volume' : 'tmpfs'}`,
    [...paths, ...(options.length > 0 ? [options.join(',')] : [])].join(':'),
  ]
}

/** Returns the variables in an environment file. A line is NAME=VALUE or NAME; `#` begins a comment. */
function readEnvFile(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trimStart())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .flatMap((line) => ['--env', line])
}

function readSecurity(value: string): string[] {
  const [, name = '', setting = ''] = /^([\w-]+)(?:[=:](.*))?$/.exec(value) ?? []
  if (name === 'no-new-privileges') return setting === 'false' ? ['--new-privileges'] : []
  if (name === 'seccomp')
    return ['--seccomp', setting === 'unconfined' ? 'none' : setting === 'builtin' ? 'default' : setting]
  if (name === 'systempaths' && setting === 'unconfined') return ['--unmask', 'all']
  if (name === 'unmask') return ['--unmask', setting.toLowerCase() === 'all' ? 'all' : setting]
  throw invalid(
    '--security-opt',
    value,
    'hutch has no equivalent',
    'no-new-privileges, seccomp=FILE or systempaths=unconfined',
  )
}

const properties: { readonly [name: string]: (value: string) => string[] } = {
  MemoryMax: (value) => ['--memory', infinity(value)],
  MemoryHigh: (value) => ['--memory-high', infinity(value)],
  MemoryLow: (value) => ['--memory-low', infinity(value)],
  MemoryMin: (value) => ['--memory-min', infinity(value)],
  MemorySwapMax: (value) => ['--swap', infinity(value)],
  TasksMax: (value) => ['--pids', infinity(value)],
  CPUQuota: (value) => ['--cpus', String(Number(value.replace(/%$/, '')) / 100)],
  CPUWeight: (value) => ['--cpu-weight', value],
  AllowedCPUs: (value) => ['--cpuset-cpus', value.replaceAll(' ', ',')],
  RuntimeMaxSec: (value) => ['--timeout', value],
  TimeoutStopSec: (value) => ['--kill-after', value],
  KillSignal: (value) => ['--stop-signal', value],
  SupplementaryGroups: (value) => value.split(/\s+/).flatMap((group) => ['--group-add', group]),
  OOMScoreAdjust: (value) => ['--oom-score-adj', value],
  Nice: (value) => ['--nice', value],
  WorkingDirectory: (value) => ['--workdir', value],
  User: (value) => ['--user', value],
  Group: (value) => ['--group', value],
  Environment: (value) => ['--env', value],
  NoNewPrivileges: (value) => (isYes(value) ? [] : ['--new-privileges']),
  PrivateNetwork: (value) => (isYes(value) ? ['--network', 'none'] : []),
}

const infinity = (value: string) => (value === 'infinity' ? 'max' : value)
const isYes = (value: string) => ['yes', 'true', 'on', '1'].includes(value)

function readProperty(value: string): string[] {
  const at = value.indexOf('=')
  const name = value.slice(0, Math.max(at, 0))
  if (Object.hasOwn(properties, name)) return properties[name]!(value.slice(at + 1))
  throw invalid('--property', value, 'hutch has no equivalent', `one of ${Object.keys(properties).join(', ')}`)
}

function invalid(name: string, value: string, why: string, words: string) {
  return fail('OPTION_INVALID', { name, value, why, accepted: words })
}
