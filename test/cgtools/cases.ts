// SPDX-License-Identifier: Apache-2.0
// Invocations that are made once with the real tool and once with hutch's: set-up, command line, and what is known to differ.
import type { Difference } from './differences.ts'

/** In a command line and in files: G is the group's name, D a directory, PID a process, MAX the memory limit's file. */
export interface Case {
  argv: string[]
  /** Groups that are there before, each with its controllers. */
  groups?: { [name: string]: string[] }
  /** Set before, as `GROUP/FILE`. */
  values?: { [file: string]: string }
  /** Files in D. */
  files?: { [name: string]: string }
  /** The process is in these groups. */
  inside?: string[]
  /** Only where controllers are on this version. */
  on?: 'v1' | 'v2'
  /** Only beside a real tool from this version on. */
  since?: 3
  /** What differs, beside which version of the real tool, and hutch's status then. */
  differs?: { as: Difference; beside?: 2 | 3; status: number }
  /** Lines of stdout about other groups are no part of the comparison. */
  ownLines?: true
  /** Changes what others stand on, so it comes last. */
  last?: true
}

const both = ['memory', 'pids']
const G = { G: both }
const tree = { G: both, 'G/a': both, 'G-b': both }

/** Words with blanks between them; further ones as they are. */
function one(line: string, rest: Omit<Case, 'argv'> & { more?: string[] } = {}): Case {
  const { more = [], ...other } = rest
  return { argv: [...line.split(' '), ...more], ...other }
}

const old = (status: number) => ({ as: 'status of 2.0' as const, beside: 2 as const, status })
const always = (as: Difference, status: number) => ({ as, status })
const new3 = (status: number) => ({ as: 'options of 3.2' as const, beside: 2 as const, status })

const create: Case[] = [
  one('cgcreate', { differs: old(129) }),
  one('cgcreate -h', { differs: always('words', 0) }),
  one('cgcreate -x', { differs: old(129) }),
  one('cgcreate -g', { differs: old(129) }),
  one('cgcreate -g memory', { differs: old(129) }),
  one('cgcreate -g memory:', { differs: old(129) }),
  one('cgcreate --no-such-option', { differs: old(129) }),
  one('cgcreate -g nosuch:G', { differs: old(91) }),
  one('cgcreate -g memory:G extra', { differs: old(129) }),
  one('cgcreate -g memory:G'),
  one('cgcreate -gmemory:G'),
  one('cgcreate -g memory,pids:G'),
  one('cgcreate -g memory:G', { groups: G }),
  one('cgcreate -g memory:/G/'),
  one('cgcreate -g memory,pids:G/a/b'),
  one('cgcreate -g memory:G -g pids:G-2'),
  one('cgcreate -g pids:G/a -g pids:G/b'),
  one('cgcreate -g *:G', { on: 'v1' }),
  one('cgcreate -g *:G', { on: 'v2', last: true, differs: always('every controller', 0) }),
  one('cgcreate -g memory,memory:G'),
  one('cgcreate -g :G', { differs: old(0) }),
  one('cgcreate -a nobody:nogroup -g memory:G'),
  one('cgcreate -a nobody -g memory:G'),
  one('cgcreate -a nobody:nogroup -t daemon:daemon -d 750 -f 640 -s 660 -g pids:G', { on: 'v1' }),
  one('cgcreate -a nobody:nogroup -t daemon:daemon -d 750 -f 640 -s 660 -g pids:G', {
    on: 'v2',
    differs: always('tasks owner on v2', 0),
  }),
  one('cgcreate -f 0777 -g pids:G'),
  one('cgcreate -d 711 -g pids:G/a'),
  one('cgcreate --dperm=755 --fperm 644 --tperm 600 -g pids:G', { on: 'v1' }),
  one('cgcreate --dp 711 -g memory:G'),
  one('cgcreate -g memory:G -d 700'),
  one('cgcreate -d 99 -g memory:G'),
  one('cgcreate -d abc -g memory:G'),
  one('cgcreate -a nosuch:root -g memory:G', { differs: always('unknown owner', 129) }),
  one('cgcreate -a 65534:65534 -g memory:G', { differs: always('unknown owner', 0) }),
  one('cgcreate -g memory:G/../G-b', { differs: always('path out of the tree', 129) }),
]

const set: Case[] = [
  one('cgset', { differs: old(129) }),
  one('cgset -x', { differs: old(129) }),
  one('cgset G', { groups: G, differs: old(129) }),
  one('cgset -r pids.max=5', { differs: old(129) }),
  one('cgset -r pids.max=5 G', { groups: G }),
  one('cgset -rpids.max=6 /G/', { groups: G }),
  one('cgset G -r pids.max=15', { groups: G }),
  one('cgset -r MAX=50M -r pids.max=7 G G-b', { groups: tree }),
  one('cgset -r pids.max=5 G'),
  one('cgset -r pids.max=6 G nosuch-G G-b', { groups: tree }),
  one('cgset -r pids.max=banana G', { groups: G }),
  one('cgset -r pids.max=-5 G', { groups: G }),
  one('cgset -r pids.max=12=3 G', { groups: G }),
  one('cgset -r', { groups: G, more: ['pids.max= 13', 'G'] }),
  one('cgset -r pids.max= G', { groups: G, differs: old(129) }),
  one('cgset -r pids.max G', { groups: G, differs: old(129) }),
  one('cgset -r memory.nosuch=5 G', { groups: G }),
  one('cgset -r cpuset.cpus=0 G', { groups: G, on: 'v1' }),
  one('cgset -r nosuch.max=5 G', { groups: G, differs: { as: 'unknown controller', beside: 3, status: 84 } }),
  one('cgset -r pids.current=4 G', { groups: G, differs: { as: 'read-only file', beside: 3, status: 96 } }),
  one('cgset -r nodot=5 G', { groups: G, differs: always('wrong assignment', 129) }),
  one('cgset -r', { groups: G, more: ['pids.max=13\n14', 'G'], differs: always('line break', 129) }),
  one('cgset -r memory.max=60M G', { groups: G, on: 'v2' }),
  one('cgset -r memory.swap.max=0 G', { groups: G, on: 'v2' }),
  one('cgset -r memory.max=60M G', { groups: G, on: 'v1', differs: always('v2 names on v1', 0) }),
  one('cgset -r pids.max=5 G', { groups: { G: ['memory'] }, on: 'v1', differs: always('joined later', 0) }),
  one('cgset -r pids.max=11 -R G', { groups: tree, differs: new3(0) }),
  one('cgset -b -r pids.max=18 G', { groups: G, differs: new3(0) }),
  one('cgset --copy-from G G-b', { groups: tree, values: { 'G/pids.max': '9', 'G/MAX': '52428800' } }),
  one('cgset --copy-from nosuch-G G', { groups: G, differs: always('missing source', 82) }),
  one('cgset --copy-from G nosuch-G', { groups: G, differs: { as: 'status of 2.0', beside: 2, status: 95 } }),
  one('cgset --copy-from G -r pids.max=3 G-b', { groups: tree, differs: old(129) }),
]

const get: Case[] = [
  one('cgget', { differs: old(129) }),
  one('cgget -x', { differs: old(129) }),
  one('cgget -r pids.max', { differs: old(129) }),
  one('cgget -g pids', { differs: old(129) }),
  one('cgget -r pids.max G', { groups: G }),
  one('cgget -r pids.max -r MAX G G/a', { groups: tree }),
  one('cgget -r MAX -r pids.max -r memory.stat G', { groups: G }),
  one('cgget -n -r pids.max G', { groups: G }),
  one('cgget -v -r pids.max G', { groups: G }),
  one('cgget -nv -r pids.max G G-b', { groups: tree }),
  one('cgget --variable pids.max --values-only G', { groups: G }),
  one('cgget G -r pids.max', { groups: G }),
  one('cgget -r pids.max /G', { groups: G }),
  one('cgget -r pids.max G/', { groups: G }),
  one('cgget -g pids:G', { groups: G }),
  one('cgget -g pids G G-b', { groups: tree }),
  one('cgget -nv -g pids:G', { groups: G }),
  one('cgget -g pids:G -g pids:G-b', { groups: tree }),
  one('cgget -g pids,memory:G', { groups: G }),
  one('cgget -a G', { groups: G }),
  one('cgget G', { groups: G }),
  one('cgget -r memory.stat G', { groups: G }),
  one('cgget -v -r memory.stat G', { groups: G }),
  one('cgget -r nosuch.x G', { groups: G }),
  one('cgget -r pids.nosuch G', { groups: G }),
  one('cgget -r nodot G', { groups: G }),
  one('cgget -r pids.max nosuch-G G', { groups: G }),
  one('cgget -r pids.max -r pids.max G', { groups: G }),
  one('cgget -r cpu.shares G', { groups: G, on: 'v1' }),
  one('cgget -r memory.force_empty G', { groups: G, on: 'v1' }),
  one('cgget -r memory.max G', { groups: G, on: 'v1', differs: always('v2 names on v1', 0) }),
  one('cgget -r cgroup.type G', { groups: G, on: 'v2' }),
  one('cgget -g nosuch:G', { groups: G, differs: old(96) }),
  one('cgget -g pids:nosuch-G', { differs: always('missing group', 96) }),
  one('cgget -g pids:G -r pids.max G', { groups: G, differs: old(129) }),
  one('cgget -m', { differs: new3(0) }),
  one('cgget -c', { since: 3, differs: always('version listing', 0) }),
]

const exec: Case[] = [
  one('cgexec', { differs: old(129) }),
  one('cgexec -g pids:G', { groups: G, differs: old(129) }),
  one('cgexec -g bad true', { differs: old(129) }),
  one('cgexec -g pids:G cat /proc/self/cgroup', { groups: G }),
  one('cgexec -g pids,memory:G/a cat /proc/self/cgroup', { groups: tree }),
  one('cgexec -g pids:G -g memory:G-b cat /proc/self/cgroup', { groups: tree, on: 'v1' }),
  one('cgexec -g pids:G -g pids:G-b cat /proc/self/cgroup', { groups: tree, on: 'v1' }),
  one('cgexec --sticky -g pids:G echo -n hi', { groups: G }),
  one('cgexec -g pids:G -- echo -n hi', { groups: G }),
  one('cgexec -g pids:G sh -c', { groups: G, more: ['exit 42'] }),
  one('cgexec -g pids:G printf', { groups: G, more: ['%s|', '', 'a b', ''] }),
  one('cgexec -g pids:G sh -c', { groups: G, more: ['kill -TERM $$'] }),
  one('cgexec -g pids:G sh -c', { groups: G, more: ['ulimit -Sn; umask'] }),
  one('cgexec -g pids:G nosuchcommand', { groups: G }),
  one('cgexec -g pids:G /etc/passwd', { groups: G }),
  one('cgexec -g pids:nosuch-G true'),
  one('cgexec -g nosuch:G true', { groups: G, differs: old(87) }),
  one('cgexec -g pids:G true', { groups: G, values: { 'G/pids.max': '0' } }),
  one('cgexec -g pids:G echo hi', { groups: tree, on: 'v2' }),
  one('cgexec -b -g pids:G echo hi', { groups: G, differs: new3(0) }),
  one('cgexec -r -g pids:G echo hi', { groups: G, differs: { as: 'options of 3.2', beside: 2, status: 255 } }),
  one('cgexec echo hi'),
]

const classify: Case[] = [
  one('cgclassify', { differs: old(129) }),
  one('cgclassify -g pids:G', { groups: G }),
  one('cgclassify -g pids:G PID', { groups: G }),
  one('cgclassify -g pids,memory:G/a PID', { groups: tree }),
  one('cgclassify -g pids:G PID', { groups: tree, on: 'v2' }),
  one('cgclassify -g pids:G PID 99999999', { groups: G }),
  one('cgclassify -g pids:G 99999999 PID', { groups: G }),
  one('cgclassify -g pids:G abc PID', { groups: G }),
  one('cgclassify -g pids:G 0', { groups: { ...tree }, on: 'v1' }),
  one('cgclassify --sticky -g pids:G PID', { groups: G }),
  one('cgclassify --cancel-sticky -g pids:G PID', { groups: G }),
  one('cgclassify -g pids:nosuch-G PID'),
  one('cgclassify -g nosuch:G PID', { groups: G }),
  one('cgclassify PID', { groups: G }),
  one('cgclassify PID -g pids:G', { groups: G }),
  one('cgclassify -g bad PID', { differs: old(129) }),
]

const remove: Case[] = [
  one('cgdelete', { differs: old(129) }),
  one('cgdelete bad', { differs: old(129) }),
  one('cgdelete -g memory:G', { groups: { G: ['memory'] } }),
  one('cgdelete memory:G', { groups: G }),
  one('cgdelete memory:/G', { groups: G }),
  one('cgdelete pids:G', { groups: tree }),
  one('cgdelete -r pids:G', { groups: tree }),
  one('cgdelete --recursive memory:G', { groups: tree, inside: ['G/a'] }),
  one('cgdelete pids:G', { groups: G, inside: ['G'] }),
  one('cgdelete pids:G', { groups: tree, inside: ['G'], on: 'v1', differs: always('failed removal', 96) }),
  one('cgdelete pids:nosuch-G pids:G', { groups: G }),
  one('cgdelete -g memory:G -g memory:G-b', { groups: tree }),
  one('cgdelete pids:nosuch-G'),
  one('cgdelete nosuch:G', { groups: G, differs: old(93) }),
  one('cgdelete pids:/'),
  one('cgdelete memory,pids:G', { groups: G, on: 'v1', differs: always('several hierarchies', 0) }),
  one('cgdelete memory,pids:G', { groups: G, on: 'v2' }),
]

const list: Case[] = [
  one('lscgroup', { groups: tree, ownLines: true, differs: { as: 'old listing', beside: 3, status: 0 } }),
  one('lscgroup -x', { differs: old(129) }),
  one('lscgroup bad'),
  one('lscgroup pids:G', { groups: tree }),
  one('lscgroup -g pids:G', { groups: tree }),
  one('lscgroup pids:/G/a pids:G-b', { groups: tree }),
  one('lscgroup pids:nosuch-G'),
  one('lscgroup nosuch:G'),
  one('lssubsys -x', { differs: old(129) }),
  one('lssubsys', { differs: always('lssubsys', 0) }),
  one('lssubsys -m pids', { differs: always('lssubsys', 0) }),
]

const told = 'pids.current\npids.events\npids.peak\npids.events.local\n'

const snapshot: Case[] = [
  one('cgsnapshot -x', { differs: old(129) }),
  one('cgsnapshot -s pids', { groups: { G: ['pids'] }, ownLines: true, differs: always('snapshot lists', 0) }),
  one('cgsnapshot -s -b D/nosuch pids', { differs: old(129) }),
  one('cgsnapshot -s -b D/deny pids', {
    on: 'v1',
    files: { deny: told },
    groups: tree,
    values: { 'G/pids.max': '5' },
    ownLines: true,
  }),
  one('cgsnapshot -t -b D/deny -w D/allow pids', {
    on: 'v1',
    files: { deny: told, allow: 'pids.max\n' },
    groups: tree,
    ownLines: true,
  }),
  one('cgsnapshot -t -b D/deny pids', { on: 'v1', files: { deny: told }, groups: tree, ownLines: true }),
  one('cgsnapshot -s -b D/deny nosuch', { files: { deny: '' }, ownLines: true }),
  one('cgsnapshot -s -b D/deny -w D/nosuch pids', { files: { deny: '' }, differs: old(129) }),
  one('cgsnapshot -s -b D/deny -f D/no/such pids', { files: { deny: '' } }),
  one('cgsnapshot -s -b D/deny pids', {
    on: 'v1',
    files: { deny: '' },
    groups: tree,
    ownLines: true,
    differs: always('read-only settings', 0),
  }),
]

const load = (text: string, rest: Omit<Case, 'argv'> = {}): Case =>
  one('cgconfigparser -l D/conf', { files: { conf: text }, ...rest })

const config: Case[] = [
  one('cgconfigparser', { differs: old(129) }),
  one('cgconfigparser -l D/conf extra', { files: { conf: '' }, differs: old(129) }),
  one('cgconfigparser -l D/nosuch'),
  one('cgconfigparser -a nosuch:root -l D/conf', { files: { conf: 'group G { pids { } }' } }),
  load(''),
  load('# nothing\n\n'),
  load('banana'),
  load('group G { pids { pids.max = 5; } }'),
  load('group "G" { "pids" { "pids.max" = "5"; } }'),
  load(
    'group G {\n\tmemory {\n\t\tMAX = 50M;\n\t}\n\tpids {\n\t\tpids.max = 9;\n\t}\n}\ngroup G/sub { pids { pids.max = "7"; } }',
  ),
  load('group G/x/y { pids { pids.max = 5; } }'),
  load(
    'group G { perm { task { uid = nobody; gid = nogroup; fperm = 660; } admin { uid = daemon; gid = daemon; dperm = 750; fperm = 640; } } pids { } }',
    { on: 'v1' },
  ),
  load(
    'default { perm { task { uid = nobody; gid = nogroup; } admin { uid = nobody; gid = nogroup; } } } group G { pids { } }',
    { on: 'v1' },
  ),
  load('namespace { pids = G; } group G { pids { } }'),
  load('template G-t/%u { pids { } }'),
  load('group G { pids { pids.max = 5; } } group G { pids { pids.max = 6; } }'),
  load('group G { nosuch { } }', { differs: old(104) }),
  load('group G { pids { pids.max = 5 } }'),
  load('group G { pids { } '),
  load('group G { pids { pids.max = 5; }; }'),
  load('group G { pids { pids.max = 5; } pids { pids.max = 6; } }'),
  load('group G { perm { admin { bogus = 5; } } pids { } }'),
  load('group G { pids { pids.max = banana; } }', { differs: { as: 'refused setting', beside: 2, status: 91 } }),
  load('group G { pids { pids.nosuch = 5; } }', { differs: { as: 'refused setting', beside: 2, status: 91 } }),
  load('group G { pids { } } group G-b { pids { pids.max = xx; } }', {
    differs: { as: 'refused setting', beside: 2, status: 91 },
  }),
  load('mount { nosuch = D/m; }'),
  load('mount { pids = /x; } namespace { pids = /y; }'),
  load('group G { pids { pids.max = 5; } perm { admin { uid = 65534; } } }', { differs: always('perm anywhere', 0) }),
  load('group G { pids { pids.max = 5; # five\n } }', { differs: always('comment anywhere', 0) }),
  load('group ../G { pids { } }', { differs: always('path out of the tree', 104) }),
  load('systemd { slice = hutchtest.slice; scope = x; }'),
  one('cgconfigparser -L D', {
    files: { 'b.conf': 'group G { pids { } }', 'a.conf': 'group G { pids { pids.max = 3; } }' },
  }),
  one('cgconfigparser -L D/nosuch'),
]

const cross: Case[] = (
  [
    one('cgxget', {}),
    one('cgxset G', { groups: G }),
    one('cgxset -1 -r cpu.shares=512 G', { groups: { G: ['cpu'] } }),
    one('cgxset -2 -r cpu.weight=200 G', { groups: { G: ['cpu'] } }),
    one('cgxset -1 -r cpu.cfs_quota_us=50000 -r cpu.cfs_period_us=200000 G', { groups: { G: ['cpu'] } }),
    one('cgxset -2 -r', { groups: { G: ['cpu'] }, more: ['cpu.max=30000 100000', 'G'] }),
    one('cgxset -1 -r cpu.cfs_quota_us=-1 G', { groups: { G: ['cpu'] } }),
    one('cgxset -1 -r cpuset.cpus=0 G', { groups: { G: ['cpuset'] } }),
    one('cgxset -1 -r cpu.shares=banana G', { groups: { G: ['cpu'] }, on: 'v2', differs: always('no number', 96) }),
    one('cgxset -1 -r cpu.shares=512 nosuch-G'),
    one('cgxget -1 -r cpu.shares G', { groups: { G: ['cpu'] } }),
    one('cgxget -2 -r cpu.weight G', { groups: { G: ['cpu'] } }),
    one('cgxget -1 -r cpu.cfs_quota_us -r cpu.cfs_period_us G', { groups: { G: ['cpu'] } }),
    one('cgxget -2 -r cpu.max G', { groups: { G: ['cpu'] } }),
    one('cgxget -1 -r cpuset.effective_cpus G', { groups: { G: ['cpuset'] } }),
    one('cgxget -2 -r cpuset.mems.effective G', { groups: { G: ['cpuset'] } }),
    one('cgxget -nv -1 -r cpu.shares G', { groups: { G: ['cpu'] } }),
    one('cgxget -g pids:G', { groups: G }),
    one('cgxget -1 -2 -r cpu.shares G', { groups: { G: ['cpu'] }, on: 'v2' }),
    one('cgxget -1 -r cpu.shares nosuch-G'),
    one('cgxset -1 -r memory.limit_in_bytes=50M G', { groups: G, on: 'v2', differs: always('translated memory', 0) }),
    one('cgxget -2 -r memory.max G', { groups: G, on: 'v1', differs: always('translated memory', 0) }),
    one('cgxget -1 -r memory.swappiness G', { groups: G, on: 'v2', differs: always('not translatable', 111) }),
  ] as Case[]
).map((case_) => ({ since: 3, ...case_ }))

export const cases: Case[] = [
  ...create,
  ...set,
  ...get,
  ...exec,
  ...classify,
  ...remove,
  ...list,
  ...snapshot,
  ...config,
  ...cross,
].map(({ differs, ...rest }) => (differs ? { ...rest, differs } : rest))
