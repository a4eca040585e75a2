// SPDX-License-Identifier: Apache-2.0
// Random command lines and options → programs, as bytes, or errors. In both hosts.
import { formatFile } from '../../../src/cgroup/format-file.ts'
import { flags, parseRunFlags, readOptions } from '../../../src/cli/run.ts'
import { bwrapOptions } from '../../../src/dropin/bubblewrap/option-table.ts'
import { parseBwrap } from '../../../src/dropin/bubblewrap/options.ts'
import { compileBwrap, planBwrap } from '../../../src/dropin/bubblewrap/program.ts'
import { getopt } from '../../../src/dropin/getopt.ts'
import { options as nsenterRows, parseNsenter } from '../../../src/dropin/util-linux/nsenter.ts'
import { compileNsenter } from '../../../src/dropin/util-linux/nsenter-program.ts'
import { parseUnshare, options as unshareRows } from '../../../src/dropin/util-linux/unshare.ts'
import { explainProgram } from '../../../src/ops/explain.ts'
import type { Program } from '../../../src/ops/ops.ts'
import { encodeProgram } from '../../../src/ops/wire.ts'
import { parseOptions, type RunOptions } from '../../../src/options/options.ts'
import { compilePlan } from '../../../src/plan/compile.ts'
import { makePlan } from '../../../src/plan/plan.ts'
import { compileUnshare } from '../../../src/plan/unshare.ts'
import { readPlanFacts } from '../../../src/run/launch.ts'
import { loadFileReader, loadFilter } from '../../../src/run/load-parsers.ts'
import { hybrid, none, plan, rootless, v1, v2 } from '../../unit/hosts.ts'
import { edgeNumbers, oddWords, type Random, randomText } from './random.ts'
import { commandLine, libraryOptions } from './words.ts'

/** The bytes and the words of a program. Names of groups have this process's id and a serial number. */
function written(program: Program) {
  const bytes = Buffer.from(encodeProgram(program)).toString('latin1')
  const steady = (text: string) => text.replaceAll(/hutch-\d+-\d+-\d+-\d+/g, 'hutch-ID')
  return {
    bytes: Buffer.from(steady(bytes), 'latin1').toString('hex'),
    steps: steady(JSON.stringify(explainProgram(program))),
  }
}

const variables = { A: '1', HOME: '/root', PATH: '/bin', É: 'ü' }

/** A command line of hutch run, planned for this machine. */
export async function runLine(random: Random) {
  const args = commandLine(random)
  const { values, order, rest } = await parseRunFlags(args, flags)
  const [command = '', ...words] = rest
  const options = readOptions({ values, order }, () => variables)
  const spec = parseOptions(command, words, options, 'cli', await loadFileReader(options))
  // hutch's own program is elsewhere in each host
  const facts = {
    ...readPlanFacts(spec, await loadFilter(spec)),
    env: ['PATH=/bin', 'A=1'],
    toolPath: { first: '/tools' },
  }
  return written(compilePlan(makePlan(spec, facts)))
}

const facts = {
  names: { hosts: '127.0.0.1 localhost\n', resolver: 'nameserver 127.0.0.53\n' },
  network: {
    tool: { name: 'pasta', path: '/usr/bin/pasta' } as const,
    ...{ tun: true, tunForAll: true, resolver: 'nameserver 1.1.1.1\n', configDirectory: '/etc/cni/net.d' },
  },
}

/** Options of the library, planned for machines with other layouts. */
export function libraryCall(random: Random) {
  const options = libraryOptions(random) as RunOptions
  const host = random.pick([v2, hybrid, v1, none, rootless])
  const parsed = parseOptions('job', ['a b', '\ud800'], options, 'library', formatFile)
  return { spec: parsed, ...written(compilePlan(plan(host, options, {}, facts))) }
}

const values = [
  ...[
    '/',
    '/a/b',
    '3',
    '0',
    '-1',
    'ALL',
    'CAP_KILL',
    '0700',
    'x',
    '--',
    'auto',
    '0:5:9',
    '5,5,5',
    'deny',
    'private',
    'TERM',
  ],
  ...['/proc/1/ns/net', 'follow', 'root', 'nobody', '1000', 'all', 'none', 'user'],
]
const word = (random: Random) =>
  random.once(8)
    ? random.pick([...oddWords, ...edgeNumbers])
    : random.once(8)
      ? randomText(random)
      : random.pick(values)

/** A command line of bwrap. */
export function bwrapLine(random: Random) {
  const names = Object.keys(bwrapOptions)
  const args = random.list(10, () => (random.once(3) ? word(random) : random.pick(names)))
  const parsed = parseBwrap(args, () => 'a\0b')
  if ('show' in parsed) return parsed
  const uid = random.pick([0, 1000])
  const facts = {
    ...{ uid, gid: uid, permitted: uid === 0 ? [0, 1, 5] : [], known: [0, 1, 2, 3, 4, 5] },
    ...{ possible: new Set(['user', 'cgroup'] as const), directories: ['/home', '/'] },
  }
  const launch = { words: ['true'], shell: '', env: ['PATH=/bin'], descriptors: [], filters: [[6, 0]] }
  return written(compileBwrap(planBwrap(parsed.request, parsed.asks, facts), launch))
}

const utilLaunch = { words: ['true'], shell: '/bin/sh', env: ['PATH=/bin'], descriptors: [] }

function utilWords(random: Random, table: { [key: string]: { long?: readonly string[] } }): string[] {
  const long = [
    ...Object.keys(table).filter((key) => key.length > 1),
    ...Object.values(table).flatMap((row) => row.long ?? []),
  ]
  const short = Object.keys(table).filter((key) => key.length === 1)
  return random.list(6, () => {
    if (random.once(3)) return word(random)
    if (random.once(2)) return `-${random.pick(short)}${random.once(3) ? word(random) : ''}`
    const name = random.pick(long)
    // an abbreviation, as getopt allows
    return `--${random.once(6) ? name.slice(0, 3) : name}${random.once(2) ? `=${word(random)}` : ''}`
  })
}

/** A command line of unshare. */
export function unshareLine(random: Random) {
  const facts = {
    ...{ uid: 1000, gid: 1001, permitted: '0', ownMap: () => '         0          0 4294967295\n' },
    delegation: () => ({
      users: [{ start: 100_000, count: 65_536 }],
      groups: [{ start: 200_000, count: 65_536 }],
      ...{ userTool: '/usr/bin/newuidmap', groupTool: '/usr/bin/newgidmap' },
    }),
  }
  const args = utilWords(random, unshareRows)
  return written(compileUnshare(parseUnshare(getopt(args, unshareRows, false), facts), utilLaunch))
}

/** A command line of nsenter. */
export function nsenterLine(random: Random) {
  const target = {
    exists: () => true,
    owner: (path: string) => `${path}-owner`,
    isOwn: () => false,
    socketNetwork: (process: string, fd: number) => `/proc/${process}/fd/${fd}-network`,
    ids: () => ({ uid: 7, gid: 8 }),
    group: () => '/sys/fs/cgroup/x/cgroup.procs',
  }
  const parsed = getopt(utilWords(random, nsenterRows), nsenterRows, false)
  return written(compileNsenter(parseNsenter(parsed, target), utilLaunch))
}
