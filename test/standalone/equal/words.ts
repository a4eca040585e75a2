// SPDX-License-Identifier: Apache-2.0
// Values for the options of hutch run: those of each kind of value in the option table, good and bad. Pure.
import { catalogFiles } from '../../../src/cgroup/controllers/catalog.ts'
import { optionRows } from '../../../src/options/table.ts'
import { edgeNumbers, oddWords, type Random } from './random.ts'

const kinds = ['pid', 'mount', 'ipc', 'uts', 'net', 'cgroup', 'user', 'time']
const files = [...catalogFiles('v2'), ...catalogFiles('v1')]

/** Values by the word that the help has for them. */
const known: { [word: string]: readonly string[] } = {
  SIZE: ['50M', '1.5G', '4096', '64K', '1T', '10 MB', '0', 'max', '1e3', '3.00001K', '0.1', '16E', '7P'],
  N: ['1', '5', '64', '-5', '19', '1000', '2', '0.5', '1.25', '256', '10000', '-1000', '-1001'],
  LIST: ['0', '0-3', '0,2', '3-1', '0-3,7', '0-1000000', ',', '1,1'],
  'DEVICE:KEY=RATE,…': [
    '8:0:rbps=1M',
    '8:0:wiops=100,rbps=10M',
    '/dev/null:rbps=1M',
    '8:0',
    '8:0:bogus=1',
    '/nosuch:rbps=1',
  ],
  GROUP: ['demo', '/demo', 'a/b', '../x', 'a//b', '/', '0', 'root', '4294967294', 'daemon', '-1'],
  'GROUP,…': ['0,1', 'root,daemon', '5', '4,nosuch', '0,,1'],
  MAP: ['root', 'keep', 'auto', '0:1000:1', '0:100000:65536', '0:0:0', '5:5', '0:0:4294967296'],
  'CLOCK=TIME,…': ['monotonic=1d', 'boottime=-3s', 'monotonic=1s,boottime=2s', 'realtime=1s', 'monotonic=99999999999d'],
  NAME: ['burrow', 'a.b', 'x'.repeat(65), 'a_b', 'é'],
  'NAME=VALUE': ['kernel.shmmax=1', 'net.core.somaxconn=9', 'kernel/sem=1 2', 'vm.swappiness=1', 'fs.mqueue.msg_max=1'],
  'SRC:DST[:OPTIONS]': [
    '.:/src',
    '/usr:/usr:ro',
    '/usr:/mnt:rw,nosuid',
    '/nosuch:/x',
    'vol',
    '/a:/b:c',
    '/tmp:relative',
    '/:/',
  ],
  'DST[:OPTIONS]': ['/tmp', '/tmp:size=10M', '/x:mode=0700,size=1G', 'x', '/tmp:bogus', '/tmp:inodes=5'],
  'LOWER:DST[:OPTIONS]': ['/usr:/x', '/usr:/x:upper=/tmp,work=/tmp', '/usr:/x:upper=/tmp', '/usr,/etc:/x'],
  'PATH[:INSIDE][:rwm]': ['/dev/null', '/dev/zero:/dev/x:r', '/dev/nosuch', '/etc', '/dev/null:rwx', '/dev/full:rm'],
  PATH: ['/proc/kcore', '/sys', '/proc/nosuch', 'proc'],
  'PATH:rwx': ['/usr:rx', '/tmp:rw', '/:r', '/usr:q', 'tmp:r', '/usr'],
  DIR: ['/', '/tmp', '.', 'src', '/nosuch', '/etc/passwd'],
  'NAME[=VALUE]': ['A=1', 'A', 'HOME', 'PATH=/bin', '=x', 'A=b=c', 'É=ü', `LONG=${'x'.repeat(2000)}`],
  NETWORK: ['none', 'host', 'private', 'cni:web', 'bridge'],
  '[IP:]PORT:PORT': ['8080:80', '127.0.0.1:8080:80', '8080:80/udp', '0:80', '[::1]:1:2', '80', '65536:1'],
  'NAME:IP': ['db:10.0.0.1', 'db:::1', 'a_b:1.2.3.4', 'db:1.2.3'],
  IP: ['1.1.1.1', '::1', '1.1.1', 'fe80::1%eth0'],
  DOMAIN: ['example.org', '.', 'a..b'],
  OPTION: ['ndots:2', 'rotate', 'a b'],
  'USER[:GROUP]': ['root', 'nobody', '1000', '1000:1000', 'nobody:daemon', 'nosuch', '0:nosuch', '4294967295', ':5'],
  CAP: ['KILL', 'cap_net_admin', 'ALL', 'CAP_BOGUS', 'SYS_ADMIN,CHOWN', 'kil'],
  PROFILE: ['default', 'strict', 'none', '/nosuch.json', '/etc/passwd', '/etc', 'defualt'],
  'NAME=SOFT[:HARD]': ['nofile=100', 'nofile=100:200', 'core=unlimited', 'nproc=5:1', 'bogus=1', 'cpu=1s', 'as=1G'],
  'CLASS[:LEVEL]': ['idle', 'best-effort:3', 'realtime:9', 'none'],
  'POLICY[:PRIORITY]': ['batch', 'idle', 'fifo:5', 'rr:100', 'fifo', 'other:1'],
  TIME: ['1s', '200ms', '1.5m', '2h', '0', '5', '1d', 'max', '-1s', '1e3s', '0.0001ms', '99999999d'],
  SIGNAL: ['TERM', 'SIGINT', '9', 'KIL', 'RTMIN+1', '64', '65'],
  TARGET: ['/proc/1/ns/net'],
  'KIND=TARGET': ['net=/proc/1/ns/net', 'pid=1', 'user=/x', 'mount=self', 'bogus=1', 'uts=0'],
}

/** Options that make this process wait, or write files. */
const left = new Set(['report', 'meta', 'learn', 'stdin', 'stdout', 'stderr', 'cni-conf-dir'])
const rows = optionRows.filter(({ flag }) => !left.has(flag))

function value(random: Random, word: string): string {
  if (random.once(10)) return random.pick(random.once(2) ? oddWords : edgeNumbers)
  if (word === 'KINDS')
    return random.once(4)
      ? random.pick(['all', 'none', 'pid,pid', 'pids'])
      : random.list(4, () => random.pick(kinds)).join(',')
  if (word === 'FILE=VALUE')
    return `${random.once(8) ? random.pick(oddWords) : random.pick(files)}=${random.pick(random.once(2) ? edgeNumbers : (known.SIZE ?? []))}`
  return random.pick(known[word] ?? edgeNumbers)
}

/** Returns a command line of hutch run: up to six options, most of them good, and a command. */
export function commandLine(random: Random): string[] {
  const options = random.list(6, () => {
    const row = random.pick(rows)
    const name = row.short !== undefined && random.once(4) ? `-${row.short}` : `--${row.flag}`
    if (random.once(40)) return [`${name}${random.pick(['x', 's', 'e'])}`]
    if (row.value === undefined || row.kind === 'switch') return [name]
    const word = value(random, row.value)
    return name.startsWith('--') && random.once(2) ? [`${name}=${word}`] : [name, word]
  })
  const command = random.once(20) ? [] : random.list(2, () => random.pick(['-c', 'exit 3', 'ä', '', '--', '\ud800']))
  return [
    ...options.flat(),
    ...(random.once(30) ? [] : ['--', random.pick(['true', 'sh', '/bin/true', 'nosuch', 'é'])]),
    ...command,
  ]
}

/** Returns options of the library: those of the table by their keys, with values of many types. */
export function libraryOptions(random: Random): { [key: string]: unknown } {
  const options: { [key: string]: unknown } = {}
  for (let count = random.below(7); count > 0; count--) {
    const row = random.pick(rows)
    const key = random.once(30) ? random.pick(oddWords) : (row.key ?? row.flag)
    const one = () =>
      random.once(6)
        ? random.pick([0, 1, -1, 1.5, 2 ** 53, 1e21, NaN, null, true, false, [], {}, 'x', undefined, 10n])
        : value(random, row.value ?? 'N')
    const made = /^(text|switch|off|kinds)$/.test(row.kind)
      ? random.once(2) && row.kind !== 'text'
        ? true
        : one()
      : row.kind === 'pairs' || row.kind === 'environment'
        ? Object.fromEntries(random.list(3, () => splitPair(String(one()))))
        : random.list(3, one)
    const [top, below] = key.split('.') as [string, string | undefined]
    if (below === undefined) options[top] = made
    else options[top] = { ...(options[top] as object), [below]: made }
  }
  return options
}

function splitPair(text: string): [string, string] {
  const at = text.indexOf('=')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}
