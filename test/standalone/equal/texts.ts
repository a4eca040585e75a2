// SPDX-License-Identifier: Apache-2.0
// Random texts of files → what hutch reads in them, or errors. In both hosts.
import { catalogFiles, describeFile } from '../../../src/cgroup/controllers/catalog.ts'
import { formatFile } from '../../../src/cgroup/format-file.ts'
import { parseSnapshot } from '../../../src/cgroup/snapshot.ts'
import { parseFlat, parsePressure } from '../../../src/cgroup/stats.ts'
import { parseValue } from '../../../src/cgroup/value-read.ts'
import { formatRaw } from '../../../src/cgroup/value-write.ts'
import { parseResourceLimit } from '../../../src/credentials/rlimit.ts'
import { parseWritable } from '../../../src/host/file-system.ts'
import { parseHierarchies, parseNamedHierarchies } from '../../../src/host/hierarchy.ts'
import { parseKernelControllers } from '../../../src/host/kernel-controllers.ts'
import { isTelling, parseEvents, parseRecord, parseTailLine } from '../../../src/host/kernel-record.ts'
import { parseNsfsMounts, parseStat } from '../../../src/host/namespace-texts.ts'
import { parseSubordinate } from '../../../src/host/privileges.ts'
import { parseProcess } from '../../../src/monitor/processes.ts'
import { parseConfigList } from '../../../src/network/cni-config.ts'
import { hasOwnServer, resolverText } from '../../../src/network/network.ts'
import { parseConfiguration } from '../../../src/rules/config-file.ts'
import { parseRules } from '../../../src/rules/parse.ts'
import { compileFilter } from '../../../src/seccomp/compile.ts'
import { parseProfileText } from '../../../src/seccomp/parse.ts'
import { formatJson } from '../../../src/text/quote.ts'
import { parseReport, reportCauses } from '../../../src/why/report.ts'
import { changed, edgeNumbers, oddWords, type Random, randomJson, randomText } from './random.ts'

const actions = ['ALLOW', 'ERRNO', 'KILL', 'KILL_PROCESS', 'LOG', 'TRAP', 'TRACE'].map((name) => `SCMP_ACT_${name}`)
const calls = ['read', 'write', 'clone', 'clone3', 'mount', 'ptrace', 'socket', 'personality', 'kill', 'open']
const comparisons = ['EQ', 'NE', 'LT', 'LE', 'GT', 'GE', 'MASKED_EQ'].map((name) => `SCMP_CMP_${name}`)
const architectures = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32', 'SCMP_ARCH_AARCH64']

function rule(random: Random): object {
  const action = random.pick(actions)
  return {
    names: [random.pick(calls), ...random.list(3, () => random.pick(calls))],
    action,
    ...(random.once(3) &&
      (action === 'SCMP_ACT_ERRNO' || random.once(9)) && {
        errnoRet: random.once(9) ? random.pick([4096, -1, '5']) : random.pick([1, 38, 4095]),
      }),
    ...(random.once(2) && {
      args: random.list(3, () => ({
        ...{
          index: random.once(12) ? 6 : random.below(6),
          value: random.once(12) ? Number(random.pick(edgeNumbers)) : random.below(2 ** 31),
          op: random.pick(comparisons),
        },
        ...(random.once(2) && { valueTwo: random.below(70_000) }),
      })),
    }),
    ...(random.once(6) && {
      includes: { caps: ['CAP_SYS_ADMIN'], minKernel: random.pick(['4.8', '99.1', '4.8', 'x']) },
    }),
    ...(random.once(6) && { excludes: { arches: ['amd64'] } }),
    ...(random.once(40) && { [random.pick(oddWords)]: 1, names: ['nosuchcall'], action: 'SCMP_ACT_NOTIFY' }),
  }
}

/** A profile, its text as others write it, and its filter. */
export function seccompProfile(random: Random) {
  const profile = random.once(6)
    ? randomJson(
        random,
        ['defaultAction', 'syscalls', 'names', 'args', 'action', 'architectures'],
        [...actions, ...calls],
      )
    : {
        defaultAction: random.pick(actions),
        ...(random.once(2) && { architectures: random.list(3, () => random.pick(architectures)) }),
        syscalls: random.list(6, () => rule(random)),
      }
  const text = changed(random, JSON.stringify(profile, undefined, random.below(3)))
  const parsed = parseProfileText(text, '--seccomp x')
  const facts = {
    machine: random.pick(['x86_64', 'aarch64']),
    kernel: [6, 1] as const,
    capabilities: random.once(2) ? [21] : [],
  }
  return { parsed, filter: compileFilter(parsed, facts, '--seccomp x') }
}

const ruleLines = [
  ...[
    '# words',
    '',
    '*  cpu,memory  users/%u',
    'root:/bin/a*  cpu  a\\ b',
    '@wheel pids /x/%G/%p ignore',
    '% memory x',
  ],
  ...[
    'joe\t*\t*',
    '"quoted name" cpu "a b"',
    'x cpu a ignore,ignore_rt',
    '1000 memory x/%U bogus',
    'a:b:c cpu x',
    '% %',
  ],
]

/** A file as cgrules.conf. */
export function rulesFile(random: Random) {
  return parseRules(changed(random, random.list(6, () => random.pick(ruleLines)).join('\n')), '/etc/cgrules.conf')
}

const sections = [
  'group a/b { perm { task { uid = root; gid = 5; fperm = 0644; } admin { uid = x; } } memory { memory.max = 50M; } }\n',
  'mount { cpu = /sys/fs/cgroup/cpu; "name=x" = /x; }\n',
  'template users/%u { pids { pids.max = "5"; } cpu { } }\n',
  'default { perm { task { uid = 1; } } }\n',
  'namespace { cpu = a; memory = "b c"; }\n',
  'systemd { slice = x.slice; scope = y.scope; setdefault = yes; }\n',
  '# words { }\n',
]

/** A file as cgconfig.conf. */
export function configFile(random: Random) {
  return parseConfiguration(changed(random, random.list(5, () => random.pick(sections)).join('')), '/etc/cgconfig.conf')
}

const procTexts = [
  '36 35 0:31 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n25 35 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n',
  '26 22 0:23 /x /a\\040b ro shared:1 - tmpfs tmpfs rw,size=5k\n27 1 8:1 / / rw,relatime - ext4 /dev/root rw\n40 1 0:4 net:[4026531840] /run/n rw - nsfs nsfs rw\n',
  '12:memory:/a/b\n3:cpu,cpuacct:/\n1:name=systemd:/user.slice\n0::/init.scope\n',
  '17 (a) b) S 1 17 17 0 -1 4194560 111 0 0 0 5 7 0 0 20 0 3 0 100 1000 200 184\n',
  'Name:\tcat\nUid:\t0\t1000\t0\t0\nVmRSS:\t   1234 kB\nThreads:\t1\n',
  '#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t12\t1\nmemory\t4\t5\t0\n',
  'joe:100000:65536\n1000:300000:5\njoe:x:1\n:1:1\n',
  'usage_usec 100\nuser_usec 60\nsystem_usec 40\n8:0 rbytes=1 wbytes=2\n',
  'some avg10=0.00 avg60=1.50 avg300=0.00 total=12345\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=99\n',
  '6,339,5140900,-;x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n',
  '4,1,99,-;oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/a,task_memcg=/a/b,task=x,pid=7,uid=0\n',
  '3,2,100,-;Memory cgroup out of memory: Killed process 7 (x\\x0ay) total-vm:1kB, anon-rss:2kB, file-rss:3kB, shmem-rss:4kB, UID:0\n',
  '<6>[    5.140900][ T12] x[7]: segfault at 0 ip 0 sp 0 error 4 in x[0+1]\n',
  'nameserver 127.0.0.53\nsearch a.b c\noptions edns0\n',
]
const catalog = catalogFiles('v2')

/** Texts of the kernel, and what is read in them. */
export function procText(random: Random) {
  const text = changed(random, random.list(3, () => random.pick(procTexts)).join(''))
  const records = text
    .split('\n')
    .flatMap((line) => [parseRecord(line, 1000) ?? [], parseTailLine(line, 1000) ?? []].flat())
  const file = random.pick(catalog)
  const tries: { [name: string]: () => unknown } = {
    hierarchies: () => parseHierarchies(text, text),
    named: () => [...parseNamedHierarchies(text, text)],
    writable: () => parseWritable(text),
    nsfs: () => parseNsfsMounts(text).map((found) => ({ ...found, path: found.path.toString('hex') })),
    stat: () => parseStat(Buffer.from(text)),
    process: () => parseProcess(17, text, text, text),
    controllers: () => parseKernelControllers(text),
    subordinate: () => parseSubordinate(text, 'joe', 1000),
    flat: () => parseFlat(text),
    pressure: () => parsePressure(text),
    value: () => [file, parseValue(describeFile(file)!, text)],
    records: () => [records, records.map((record) => isTelling(record.text)), parseEvents(records)],
    resolver: () => [hasOwnServer(text), resolverText(text, '10.0.2.3')],
  }
  return Object.fromEntries(Object.entries(tries).map(([name, read]) => [name, attempt(read)]))
}

const attempt = (read: () => unknown) => {
  try {
    return read()
  } catch (error) {
    return (error as Error).message
  }
}

/** A value for a kernel file, written and read again. */
export function kernelValue(random: Random) {
  const file = random.pick(catalog)
  const words = describeFile(file)!
  const text = random.pick([
    'max',
    '50M',
    '0-3',
    '8:0 rbps=1M',
    '100000 100000',
    'default 5',
    '1',
    ...edgeNumbers,
    ...oddWords,
  ])
  const value = random.once(3)
    ? randomJson(random, ['quota', 'period', 'default', '8:0', 'rbps'], ['max', '1M'], 2)
    : text
  return [
    file,
    attempt(() => formatFile(file, value)),
    attempt(() => formatRaw(words, text)),
    attempt(() => parseValue(words, text)),
  ]
}

const limits = { 'memory.max': '52428800', 'pids.max': 5 }
const usage = { wallMs: 1234, cpuUsec: 99, memoryPeak: 5_000_000, oomKills: 1, throttledUsec: 5, pidsDenied: 2 }
const result = {
  schemaVersion: 2,
  ...{
    command: ['sh', '-c', 'ä\n'],
    exitCode: 137,
    signal: null,
    reason: 'oom',
    limits,
    usage,
    cgroup: { path: '/a/b' },
  },
  verdict: { headline: 'x was killed', evidence: [['memory', '50.0 MiB']], remedy: 'raise --memory' },
  cause: {
    kind: 'oom',
    command: 'sh',
    end: {},
    sideEvents: [],
    limit: { file: 'memory.max', value: '52428800', level: 'own' },
  },
}
const reportWords = [
  'oom',
  'pids',
  'exit',
  'signal',
  'own',
  'ancestor',
  'memory.max',
  '52428800',
  'SIGKILL',
  'throttled',
]

/** The text of a report, and the causes in it. */
export function report(random: Random) {
  const keys = Object.keys(result)
  const copy: { [key: string]: unknown } = { ...result }
  for (let times = random.once(3) ? 2 : 0; times > 0; times--)
    copy[random.pick(keys)] = randomJson(random, [...Object.keys(usage), 'kind', 'limit'], reportWords, 3)
  const text = changed(random, JSON.stringify(copy, undefined, random.below(4)))
  const read = parseReport(text, '/tmp/x.json')
  return { text: formatJson(read), pretty: formatJson(read, 2), causes: reportCauses(read, 4) }
}

/** Documents in JSON of other kinds: snapshots of groups, lists of CNI plugins. */
export function otherJson(random: Random) {
  const snapshot = {
    hutch: 'cgroups 1',
    groups: random.list(3, () => ({
      path: random.pick(['/a', '/a/b', 'x', '/..']),
      owner: [0, 0],
      files: { 'pids.max': '5' },
    })),
  }
  const list = { cniVersion: '1.0.0', name: 'web', plugins: [{ type: 'bridge', capabilities: { portMappings: true } }] }
  const keys = ['hutch', 'groups', 'path', 'files', 'plugins', 'type', 'name', 'capabilities']
  const made = random.pick([snapshot, list, randomJson(random, keys, ['bridge', '/a', 'cgroups 1'])])
  const text = changed(random, JSON.stringify(made))
  const value = attempt(() => JSON.parse(text))
  return [
    attempt(() => parseSnapshot(text, 'x.json')),
    typeof value === 'string' ? '' : attempt(() => parseConfigList(value, '/x')),
  ]
}

/** A resource limit by its name and value. */
export function resourceLimit(random: Random) {
  const name = random.pick(['nofile', 'core', 'nproc', 'as', 'cpu', 'stack', 'bogus', randomText(random)])
  const value = random.pick(['unlimited', '5:10', '10:5', '1M', '1h', ':', randomText(random), ...edgeNumbers])
  return [name, value, parseResourceLimit(name, value)]
}
